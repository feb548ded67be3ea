// Package config reads the server's configuration: one struct, filled from flags, then the environment, then a .env file, then a
// YAML file, then the defaults. The comment above a field is its documentation everywhere: in --help, in `daybook config` and in the
// reference page.
package config

import (
	_ "embed"
	"time"
)

//go:embed config.go
var source string // the comments of Config, read by help

// Config holds every setting of the server. Name a setting `rate_limit` in the file, `DAYBOOK_RATE_LIMIT` in the environment and
// `--rate-limit` on the command line.
type Config struct {
	// Configuration file (YAML). Without it, daybook.yaml of the working folder is read if it is there.
	File string `key:"config" per:"node"`

	// Address to listen on, HOST:PORT. An empty host means every address of the machine. Without it, port PORT (or else API_PORT) of every address, if the environment or .env names one.
	Listen string `key:"listen" default:"127.0.0.1:8080" or:"PORT,API_PORT" per:"node"`
	// Where the log is kept, made on the first start: a SQLite file, or the address of a PostgreSQL database (postgres://USER@HOST/DATABASE, or the words of libpq: host=… dbname=…), which several nodes may share.
	DB string `key:"db" default:"daybook.db" secret:"url"`
	// File with the password of the PostgreSQL database, which wins over one in the address; a line end at its end is not part of it.
	DBPasswordFile string `key:"db_password_file"`
	// Schema of the PostgreSQL database that holds the tables.
	DBSchema string `key:"db_schema" default:"daybook"`
	// How many orders of commits a new PostgreSQL store has, 1 to 64, fixed from then on: commits of different ones do not wait for each other, and each groups less. More than one pays where the database has processors to spare and is far away.
	DBShards int `key:"db_shards" default:"1"`
	// Most connections of this node to PostgreSQL; 0: 20. Others go to the database in highwater, at most four.
	DBMaxConnections int `key:"db_max_connections" default:"0"`
	// How long one statement may take that PostgreSQL is asked; what it did not answer by then has an unknown outcome.
	DBTimeout time.Duration `key:"db_timeout" default:"10s"`
	// After how long another node of a PostgreSQL database takes over the work of one that died: merging, signing, retention, exports; at least 1s.
	LeaseTime time.Duration `key:"lease_time" default:"15s"`
	// Folder of the master key and of the files of exports. Without it, that of the SQLite file; with PostgreSQL, the working folder.
	DataDir string `key:"data_dir"`
	// Name of this process among those of one PostgreSQL database, in its log and its metrics. Without it, the name of the machine and some random letters.
	Node string `key:"node" per:"node"`
	// Certificate chain (PEM file). With tls_key the server speaks HTTPS.
	TLSCert string `key:"tls_cert" per:"node"`
	// Private key of the certificate (PEM file).
	TLSKey string `key:"tls_key" per:"node"`
	// Addresses and networks (CIDR) of proxies whose X-Forwarded-For, Forwarded and X-Real-IP are believed, separated by commas.
	TrustedProxies []string `key:"trusted_proxies"`

	// Largest request body as it comes over the wire.
	LimitBody Size `key:"limit_body" default:"5MiB"`
	// Largest request body after decompression.
	LimitDecompressed Size `key:"limit_decompressed" default:"5MiB"`
	// Most events of one request.
	LimitEvents int `key:"limit_events" default:"1000"`
	// Largest event; at most 256KiB.
	LimitEvent Size `key:"limit_event" default:"256KiB"`
	// Requests per second that one key may make; 0 is no limit.
	RateLimit float64 `key:"rate_limit" default:"0"`

	// Host that checkpoints are named after, such as audit.example.com: given once, for ever. Without it nothing is signed.
	Origin string `key:"origin"`
	// File with the 32 secret bytes (base64) that all signing keys are derived from; mode 0600. Default: master.key in data_dir, made on the first start with an origin. Keep a copy elsewhere, and give every node of a database the same.
	MasterKeyFile string `key:"master_key_file" per:"node"`
	// The master key itself instead of a file, from a secret store.
	MasterKey string `key:"master_key" secret:"all"`
	// What remembers what was signed, so that an older copy of the store is not signed as if it were the log: a SQLite file (default: highwater.db beside the store; better on another volume), or, for the nodes of a PostgreSQL database, the address of another one (default: the schema daybook_highwater of the same, which a restore takes back with the log). Never restored with the store.
	HighWater string `key:"highwater" secret:"url"`
	// File with the password of the database in highwater.
	HighWaterPasswordFile string `key:"highwater_password_file"`
	// How often every changed log is signed; at least 10s.
	AnchorInterval time.Duration `key:"anchor_interval" default:"5m"`
	// How often the server recomputes its whole store beside its work, as daybook fsck does, and records the outcome; 0: never.
	VerifyEvery time.Duration `key:"verify_every" default:"24h"`
	// Who is told the checkpoints of the anchor log, separated by commas: folder:DIR, post:URL, timestamp:URL DIR (RFC 3161), witness:URL VKEY (C2SP).
	AnchorTo []string `key:"anchor_to" secret:"all"`

	// Bytes of requests that may wait for a commit before recording is refused with 503.
	QueueBytes Size `key:"queue_bytes" default:"32MiB"`
	// Bytes of events kept in memory before they are packed into blocks.
	TailBytes Size `key:"tail_bytes" default:"48MiB"`
	// How long a request waits for a commit whose outcome is not known.
	CommitTimeout time.Duration `key:"commit_timeout" default:"30s"`
	// How long an Idempotency-Key is remembered; at least 24h.
	IdempotencyWindow time.Duration `key:"idempotency_window" default:"168h"`

	// How long backups are kept elsewhere, so that the certificate of an erasure can say until when a copy may exist; 0: it is not known.
	BackupKeep time.Duration `key:"backup_keep" default:"0s"`

	// Address under which clients reach the server, such as https://audit.example.com. Without it, the one that the request names.
	PublicURL string `key:"public_url"`

	// Folder for the files of exports, one for all nodes of a database: a network file system, say. Without it, one beside the SQLite file, named after it (daybook.db-exports); with PostgreSQL, daybook-exports in data_dir.
	ExportDir string `key:"export_dir"`
	// How long the file of an export is kept.
	ExportKeep time.Duration `key:"export_keep" default:"168h"`
	// Processors that one export may use; 0 is all of them.
	ExportWorkers int `key:"export_workers" default:"0"`

	// Least level that is logged: debug, info, warn or error. Recordings that went well are logged at debug.
	LogLevel string `key:"log_level" default:"info" oneof:"debug|info|warn|error"`
	// Form of the log: json or text.
	LogFormat string `key:"log_format" default:"json" oneof:"json|text"`
	// How long running requests may take after the signal to stop.
	ShutdownTimeout time.Duration `key:"shutdown_timeout" default:"30s"`
	// Whether /metrics is served (to keys with the scope operate).
	Metrics bool `key:"metrics" default:"true"`

	// What of looking at a log is recorded in it: debounced (once per key and query within audit_reads_window), each, or off. With off
	// nobody can say afterwards who looked.
	AuditReads string `key:"audit_reads" default:"debounced" oneof:"debounced|each|off"`
	// How long equal looks of one key are one event, followed by one that sums up the rest.
	AuditReadsWindow time.Duration `key:"audit_reads_window" default:"5m"`

	// First key, for all organizations and every scope: stored (as its hash) when there is no key yet, ignored afterwards.
	BootstrapKey string `key:"bootstrap_key" secret:"all"`

	// What becomes of an event that does not keep to a schema: open and strict refuse it, quarantine records and flags it. An action without
	// a schema is free when open, flagged in quarantine and refused when strict.
	SchemaMode string `key:"schema_mode" default:"open" oneof:"open|quarantine|strict"`
	// What a schema says of targets: contains (each type occurs) or exact (these types, each as often).
	SchemaTargets string `key:"schema_targets" default:"contains" oneof:"contains|exact"`
	// Which version holds for an event that names none: newest (the newest that it keeps to) or first.
	SchemaVersion string `key:"schema_version" default:"newest" oneof:"newest|first"`

	// Whether the WorkOS door (POST /audit_logs/events) is open.
	WorkOSEnabled bool `key:"workos_enabled" default:"true"`
	// What the WorkOS door does with an organization it does not know: create (with a key for all organizations) or reject.
	WorkOSUnknownOrg string `key:"workos_unknown_org" default:"create" oneof:"create|reject"`
	// Limits on metadata at the WorkOS door: strict (as WorkOS: 50 members, 500 characters, no nesting) or relaxed.
	WorkOSLimits string `key:"workos_limits" default:"strict" oneof:"strict|relaxed"`
	// What the WorkOS door does with an idempotency key that was used for another event: reject it, or record it as new.
	WorkOSKeyReuse string `key:"workos_key_reuse" default:"reject" oneof:"reject|new"`
	// Whether cells in the CSV of the WorkOS door are guarded against formulas, which changes them.
	WorkOSCSVGuard bool `key:"workos_csv_guard" default:"false"`
	// The same as schema_mode, for the WorkOS door; strict is as WorkOS.
	WorkOSSchemaMode string `key:"workos_schema_mode" default:"open" oneof:"open|quarantine|strict"`
	// The same as schema_targets, for the WorkOS door.
	WorkOSSchemaTargets string `key:"workos_schema_targets" default:"contains" oneof:"contains|exact"`
	// Which version holds for an event of the WorkOS door that names none: newest (the newest that it keeps to) or workos (1).
	WorkOSSchemaVersion string `key:"workos_schema_version" default:"newest" oneof:"newest|workos"`
	// Which retention the WorkOS door takes: any number of days, or as WorkOS 30 and 365 alone.
	WorkOSRetention string `key:"workos_retention" default:"any" oneof:"any|workos"`
	// Whether the WorkOS door takes an equal event without a key, within 24 hours, for a repeat.
	WorkOSKeylessDedupe bool `key:"workos_keyless_dedupe" default:"true"`

	// Whether the ta-vivo door (/logs) is open.
	TavivoEnabled bool `key:"tavivo_enabled" default:"true"`
	// Secret with which the JSON Web Tokens of the ta-vivo door are signed (HS256, HS384 or HS512). Without it, JWT_SECRET of the environment or of .env; with neither, only API keys are accepted there.
	TavivoJWTSecret string `key:"tavivo_jwt_secret" secret:"all" or:"JWT_SECRET"`
	// File with that secret, which wins; line ends at its end are not part of it.
	TavivoJWTSecretFile string `key:"tavivo_jwt_secret_file"`
	// Organization of what comes to the ta-vivo door with a JSON Web Token.
	TavivoOrg string `key:"tavivo_org" default:"default"`
	// Whether a JSON Web Token may also read at the ta-vivo door; false: reading needs an API key.
	TavivoRead bool `key:"tavivo_read" default:"true"`
	// Whether the ta-vivo door answers 403 without a credential and 400 to a bad token, like the original, instead of 401.
	TavivoLegacyStatus bool `key:"tavivo_legacy_status" default:"false"`
	// Names of members whose values the ta-vivo door masks, beside those that look like secrets, separated by commas.
	TavivoMask []string `key:"tavivo_mask"`
	// Names of members that look like secrets to the ta-vivo door and are none, separated by commas.
	TavivoMaskAllow []string `key:"tavivo_mask_allow"`

	// Whether the Retraced door (/auditlog/publisher/v1/…) is open.
	RetracedEnabled bool `key:"retraced_enabled" default:"true"`
	// Organization of events that come through the Retraced door without a group, with a key for all organizations.
	RetracedOrg string `key:"retraced_org" default:"default"`
	// Most events of one bulk request at the Retraced door.
	RetracedBulkMax int `key:"retraced_bulk_max" default:"50"`
	// How long a session of the Retraced viewer holds.
	RetracedSessionTTL time.Duration `key:"retraced_session_ttl" default:"1h"`

	// Whether the togo door (/api/audit/…) is open.
	TogoEnabled bool `key:"togo_enabled" default:"true"`

	// Whether the rest-hapi door (/auditLog) is open.
	RestHapiEnabled bool `key:"resthapi_enabled" default:"true"`
	// How long the documents of the rest-hapi door are shown and kept: 60 (seconds), 90s, 1m, 2h, 1d, 1w or 1y. Empty: as long as retention keeps them.
	RestHapiAuditLogTTL string `key:"resthapi_audit_log_ttl"`
	// Scope that the rest-hapi door asks for, separated by commas, as hapi has it: one of the plain words must be among the labels of the key (or the claim scope of the token), +word must be, !word must not.
	RestHapiAuditLogScope []string `key:"resthapi_audit_log_scope"`
	// Dotted path of the user's id in a token's claims, for the rest-hapi door.
	RestHapiUserIDKey string `key:"resthapi_user_id_key" default:"user._id"`
	// Whether the rest-hapi door takes $where.
	RestHapiWhere bool `key:"resthapi_where" default:"true"`
	// Whether the rest-hapi door refuses parameters and members that it does not know; false: it ignores them.
	RestHapiStrict bool `key:"resthapi_strict" default:"true"`
	// Largest $limit of the rest-hapi door, and the one that holds when none is given.
	RestHapiMaxLimit int `key:"resthapi_max_limit" default:"1000"`

	// File with the public keys (JSON Web Key Set) of the issuer whose tokens open the rest-hapi door, beside API keys.
	JWTKeys string `key:"jwt_keys"`
	// Secret of that issuer instead, for HS256, HS384 and HS512.
	JWTSecret string `key:"jwt_secret" secret:"all"`
	// What the claim iss of its tokens must be. With keys or a secret it is required.
	JWTIssuer string `key:"jwt_issuer"`
	// What the claim aud must be or hold; empty: anything.
	JWTAudience string `key:"jwt_audience"`
	// Dotted path of the claim that names the organization; without it, or in a token without it, the organization is "default".
	JWTOrg string `key:"jwt_org"`
}
