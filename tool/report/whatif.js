/* SPDX-License-Identifier: MIT */
/* What was asked beyond the recording: pages moved, huge pages, the closed loop. */

/* Rows for each part of a policy's figures that is there. */
const ASKED = {
	moves: [
		{ group: "Pages moved" },
		{ key: "moves.moved_pages", label: "moved", unit: "{pages|page}", show: count, better: LOWER },
		{ key: "moves.copied_bytes", label: "copied", unit: "bytes", show: count, better: LOWER },
		{ key: "moves.failed_pages", label: "to be moved, and not moved", unit: "{pages|page}", show: count },
		{ key: "moves.compactions.success", label: "{compactions|compaction} of a zone: success", unit: "runs",
			show: count },
		{ key: "moves.compactions.complete", label: "all of the zone in vain", unit: "runs", show: count },
		{ key: "moves.compactions.partial_skipped", label: "a part of it in vain", unit: "runs", show: count },
		{ key: "moves.compactions.contended", label: "given up", unit: "runs", show: count },
		{ key: "moves.stalls", label: "requests that {compacted|compaction} for themselves", unit: "stalls",
			show: count, better: LOWER },
		{ key: "moves.stalls_served", label: "of these, served by it", unit: "stalls", show: count },
	],
	evacuations: [
		{ group: "Moved out of superpageblocks" },
		{ key: "moves.evacuations.pages", label: "moved", unit: "{pages|page}", show: count, better: LOWER },
		{ key: "moves.evacuations.pageblocks", label: "emptied of {tainted|superpageblock} ones", unit: "pageblocks",
			show: count },
		{ key: "moves.evacuations.superpageblocks", label: "emptied, to be ready", unit: "superpageblocks", show: count },
	],
	huge: [
		{ group: "Huge pages" },
		{ key: "huge.asked", label: "asked for", unit: "huge pages", show: count },
		{ key: "huge.granted", label: "granted", unit: "huge pages", show: count, better: HIGHER },
		{ key: "huge.failed", label: "failed", unit: "huge pages", show: count, better: LOWER },
		{ key: "huge.copied_bytes", label: "copied for them", unit: "bytes", show: count, better: LOWER },
		{ key: "huge.copied_bytes_per_granted", label: "copied for each one granted", unit: "bytes",
			show: count, better: LOWER },
		{ key: "huge.all_copied_bytes_per_granted", label: "all that was copied, for each one granted",
			unit: "bytes", show: count, better: LOWER },
		{ key: "huge.reclaimed_pages", label: "reclaimed for them", unit: "{pages|page}", show: count },
	],
	reclaim: [
		{ group: "Closed loop" },
		{ key: "reclaim.reclaimed_pages", label: "reclaimed", unit: "{pages|page}", show: count,
			better: LOWER },
		{ key: "reclaim.unknown_pages", label: "of these, of unknown birth", unit: "{pages|page}",
			show: count },
		{ key: "reclaim.oom_kills", label: "OOM kills", unit: "tasks", show: count, better: LOWER },
		{ key: "reclaim.killed_pages", label: "freed by them", unit: "{pages|page}", show: count },
	],
};

function wasAsked(data) {
	const { whatif } = data;

	return whatif && (whatif.defrag !== "none" || whatif.huge || whatif.closed_loop);
}

/* Every reason for which huge pages failed under some policy. */
function failureRows(policies) {
	const names = new Set(policies.flatMap(({ huge }) => Object.keys(huge?.failed_by ?? {})));

	return [...names].map((name) => ({ key: `huge.failed_by.${name}`, label: `failed: ${name}`,
		unit: "huge pages", show: count }));
}

/* Times until 1, 2, 4, ... pages were held at once, as far as any policy came. */
function heldRows(policies) {
	const most = Math.max(...policies.map(({ huge }) => huge?.held_at_s?.length ?? 0));
	const rows = [];

	for (let nr = 1; nr <= most; nr *= 2)
		rows.push({ key: `huge.held_at_s.${nr - 1}`, label: `recorded time until ${count(nr)} `
			+ `${nr === 1 ? "was" : "were"} held at once`, unit: "s", show: (value) => fixed(value, 1), better: LOWER });
	return rows;
}

function askedRows(data) {
	const { whatif, policies } = data;

	return [
		...(whatif.huge ? [...ASKED.huge, ...heldRows(policies), ...failureRows(policies)] : []),
		...(whatif.defrag !== "none" ? ASKED.moves : []),
		...(whatif.defrag === "evacuate" ? ASKED.evacuations : []),
		...(whatif.closed_loop ? ASKED.reclaim : []),
	];
}

/* How pages move, in a sentence. */
const WAYS = {
	none: "No page moves.",
	scan: "Recorded movable pages move, by compaction.",
	choice: "Recorded movable pages move, by compaction of the pageblocks that cost the least to empty.",
	evacuate: "Recorded movable pages move, by compaction, and out of superpageblocks.",
};

function askedWords({ huge, defrag, ready, closed_loop: closed }, pageBytes) {
	const words = [];

	if (huge) {
		words.push(`Every ${count(huge.every_s)} s of recorded time ${count(huge.count)} huge `
			+ `page${huge.count === 1 ? "" : "s"} of ${bytes(pageBytes * 2 ** huge.order)} `
			+ `${huge.count === 1 ? "is" : "are"} asked for, and held for ${count(huge.hold_s)} s.`);
	}
	words.push(WAYS[defrag] ?? `Pages move: ${defrag}.`);
	if (ready)
		words.push(`${count(ready)} superpageblock${ready === 1 ? " of each zone is" : "s of each zone are"} to be `
			+ "kept empty.");
	if (closed)
		words.push("The loop is closed: reclaim and the OOM killer act. It is assumed:");
	return words.join(" ");
}

function showAsked(data) {
	const { whatif, policies, trace } = data;

	if (!wasAsked(data))
		return;
	byId("asked").hidden = false;
	byId("asked-lead").append(askedWords(whatif, trace.page_bytes));
	byId("asked-assumptions").append(...whatif.assumptions.map((text) => make("li", {}, text)));
	byId("asked-table").append(comparisonHead(policies), make("tbody", {},
		...askedRows(data).map((row) => measureRow(row, policies))));
}

/* The largest unit in which the value is not below one. */
function byteUnit(value) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let at = 0;

	for (; value >= 1024 && at < units.length - 1; at++)
		value /= 1024;
	return [units[at], 1024 ** at];
}

/* The lines over time that what was asked for has: id, caption, unit, and each policy's values. */
function askedLines(data) {
	const { whatif, policies } = data;
	const lines = [];

	if (!wasAsked(data))
		return lines;
	if (whatif.huge)
		lines.push({ id: "granted-line", caption: "Huge pages granted", unit: "since the start",
			values: ({ series }) => series.huge_granted });
	if (whatif.defrag !== "none") {
		const [unit, unitBytes] = byteUnit(
			Math.max(...policies.map(({ series }) => series.copied_bytes.at(-1))));
		lines.push({ id: "copied-line", caption: "Copied", unit: `${unit} since the start`,
			values: ({ series }) => series.copied_bytes.map(
				(value) => Math.round(value / unitBytes * 100) / 100) });
	}
	return lines;
}
