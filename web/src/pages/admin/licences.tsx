// What the program is made of.
import { useEffect } from "preact/hooks";
import { useLoad } from "../../state/load";
import { ProblemBanner, Skeleton } from "../../ui/notice";
import { getInstance } from "./api";
import { Sections } from "./sections";
import { t } from "./texts";

export default function Licences() {
	const now = useLoad(getInstance, []);
	useEffect(() => {
		document.title = `${t("licences")} · Daybook`;
	}, []);
	return (
		<div class="page">
			<div class="page-head">
				<h1>{t("licences")}</h1>
			</div>
			<Sections at="licences" />
			{now.problem ? <ProblemBanner problem={now.problem} onRetry={now.again} /> : null}
			<div class="page-body admin">
				<p class="measure">
					{t("licences.about")}{" "}
					<a href="/assets/THIRD_PARTY.txt" target="_blank" rel="noreferrer">
						{t("licences.console")}
					</a>
				</p>
				{!now.data && !now.problem ? <Skeleton width="16rem" /> : null}
				{now.data ? (
					<div class="scroll-x">
						<table class="table licences">
							<thead>
								<tr>
									<th scope="col">{t("licences.module")}</th>
									<th scope="col">{t("admin.version")}</th>
								</tr>
							</thead>
							<tbody>
								{now.data.modules.map((m) => (
									<tr key={m.path}>
										<td class="mono">
											{/^[a-z0-9-]+\./.test(m.path) ? (
												<a href={`https://pkg.go.dev/${m.path}?tab=licenses`} target="_blank" rel="noreferrer">
													{m.path}
												</a>
											) : (
												m.path
											)}
										</td>
										<td class="mono">{m.version}</td>
									</tr>
								))}
							</tbody>
						</table>
					</div>
				) : null}
			</div>
		</div>
	);
}
