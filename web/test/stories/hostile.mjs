// Text that attacks whoever shows, prints or opens it, and text that is merely unusual.
export const hostile = [
	"<script>alert(1)</script>",
	'"><img src=x onerror=alert(2)>',
	"javascript:alert(3)",
	"{{constructor.constructor('alert(4)')()}}",
	"\u202Egnp.exe",
	"\u001b[31mred\u001b[0m",
	'=HYPERLINK("http://evil")',
	"مرحبا بالعالم",
	"👩‍👩‍👧‍👦 family",
	"a".repeat(10_000),
	"line\nbreak\ttab",
	"</style><style>*{display:none}</style>",
];
