/* SPDX-License-Identifier: MIT */
/* Header, fidelity ledger, comparison: everything that is text. */

const LOWER = -1;
const HIGHER = 1;

/*
 * The comparison's rows. `label` links {words} to the glossary; `better` says which way a figure is better,
 * where one is; `change` says how the difference from the first policy is printed.
 */
const MEASURES = [
	{ group: "Requests" },
	{ key: "allocations", label: "allocations", unit: "requests", show: count },
	{ key: "failures", label: "allocations failed", unit: "requests", show: count, better: LOWER },
	{ key: "frees", label: "frees", unit: "requests", show: count },
	{ group: "pcp lists and zone lock" },
	{ key: "pcp_hit_rate", label: "served from a {pcp list}", unit: "% of allocations",
		show: (value) => fixed(value * 100, 2), better: HIGHER,
		change: (now, base) => `${signed((now - base) * 100, 2)} pp` },
	{ key: "zone_lock_acquisitions", label: "{zone lock} acquisitions", unit: "", show: count,
		better: LOWER },
	{ key: "zone_lock_per_1000", label: "{zone lock} acquisitions", unit: "per 1,000 allocations and frees",
		show: (value) => fixed(value, 1), better: LOWER },
	{ key: "zone_lock_work_per_hold", label: "{work per hold|zone lock}", unit: "list operations",
		show: (value) => fixed(value, 1) },
	{ group: "Fallbacks" },
	{ key: "fallbacks.cma", label: "{taken from CMA|fallback}", unit: "blocks", show: count },
	{ key: "fallbacks.claim_block", label: "{claims|claim} of whole pageblocks", unit: "claims", show: count },
	{ key: "fallbacks.claim_part", label: "{claims|claim} of part-used pageblocks", unit: "claims",
		show: count },
	{ key: "fallbacks.claim_refused", label: "{claims|claim} refused", unit: "pageblocks", show: count },
	{ key: "fallbacks.steal", label: "{steals|steal}", unit: "blocks", show: count, better: LOWER },
	{ group: "State at the end" },
	{ key: "free_pages", label: "free", unit: "{pages|page}", show: count },
	{ key: "pcp_pages", label: "on {pcp lists|pcp list}", unit: "{pages|page}", show: count },
	{ key: "unusable_index", label: "{unusable free space index}", unit: "0 to 1", each: "order",
		show: (value) => fixed(value, 3), better: LOWER,
		change: (now, base) => signed(now - base, 3) },
	{ key: "mixed_pageblocks", label: "{mixed pageblocks|mixed pageblock}", unit: "pageblocks", show: count,
		better: LOWER },
	{ key: "free_2mib_blocks", label: "free 2 MiB blocks, an order-10 block as two", unit: "blocks",
		show: count, better: HIGHER },
	{ group: "Superpageblocks, by what is in use in them" },
	{ key: "superpageblocks.mib", label: "size of a {superpageblock}", unit: "MiB", show: count },
	{ key: "superpageblocks.whole", label: "{superpageblocks|superpageblock} without a gap", unit: "", show: count },
	{ key: "superpageblocks.tainted", label: "{tainted|superpageblock} at the end", unit: "superpageblocks",
		show: count, better: LOWER },
	{ key: "superpageblocks.peak_tainted", label: "{tainted|superpageblock} at most", unit: "superpageblocks",
		show: count, better: LOWER },
	{ key: "superpageblocks.lower_bound", label: "would have done", unit: "superpageblocks", show: count },
	{ key: "superpageblocks.tau", label: "tainted at most, to what would have done", unit: "1 is best",
		show: (value) => fixed(value, 2), better: LOWER },
	{ key: "superpageblocks.taints", label: "times that one was tainted", unit: "", show: count, better: LOWER },
	...[["start", "by pages in use at the start"], ["unmovable", "by an unmovable page"],
		["reclaimable", "by a reclaimable page"], ["unmovable_higher_order", "by an unmovable block of higher order"],
		["reclaimable_higher_order", "by a reclaimable block of higher order"]].map(([key, label]) => (
		{ key: `superpageblocks.taints_by.${key}`, label: `of these, ${label}`, unit: "", show: count })),
	{ key: "superpageblocks.packing", label: "packing of {tainted|superpageblock} ones at the end", unit: "0 to 1",
		show: (value) => fixed(value, 3), better: HIGHER },
	{ key: "superpageblocks.empty", label: "empty at the end: to be had at once", unit: "superpageblocks",
		show: count, better: HIGHER },
	{ key: "superpageblocks.obtainable", label: "to be had by moving pages", unit: "superpageblocks", show: count,
		better: HIGHER },
	{ key: "superpageblocks.obtainable_copied_bytes", label: "least to copy for these", unit: "bytes", show: count },
	{ key: "superpageblocks.upper_bound", label: "to be had at best, whatever the placement", unit: "superpageblocks",
		show: count },
	{ group: "State" },
	{ key: "digest", label: "{state digest}", unit: "", show: String, mono: true },
	{ group: "Replay run (of this program on its machine, no property of a policy)" },
	{ key: "timing.seconds", label: "time", unit: "s", show: (value) => fixed(value, 2) },
	{ key: "timing.events_per_second", label: "speed", unit: "events/s", show: count },
];

function signed(value, digits) {
	const text = fixed(Math.abs(value), digits);

	return Number(text.replaceAll(",", "")) === 0 ? "\u00b10" : `${value < 0 ? "\u2212" : "+"}${text}`;
}

function relative(now, base) {
	if (now === base)
		return "\u00b10";
	return base === 0 ? signed(now, 0) : `${signed((now - base) / base * 100, 0)} %`;
}

/* "a {mixed pageblock} and {pages|page}" as nodes: what is in braces links to its term's entry. */
function linkTerms(text) {
	return text.split(/(\{[^}]*\})/).map((part) => {
		if (!part.startsWith("{"))
			return part;
		const [words, term] = part.slice(1, -1).split("|");
		return make("a", { href: `#g-${(term ?? words).replaceAll(" ", "-")}` }, words);
	});
}

function lookUp(object, key) {
	return key.split(".").reduce((at, part) => at?.[part], object);
}

/* The rows with one for each order where a measure has a figure for each. */
function expandMeasures(policies) {
	return MEASURES.flatMap((measure) => {
		if (!measure.each)
			return [measure];
		const keys = Object.keys(policies[0][measure.key] ?? {}).sort((a, b) => a - b);
		return keys.map((key) => ({ ...measure, key: `${measure.key}.${key}`,
			label: `${measure.label}, {order} ${key}` }));
	});
}

/* The best of a row's values, or undefined where none is better than another. */
function bestOf(values, better) {
	const known = values.filter((value) => typeof value === "number");

	if (!better || known.length < 2 || known.every((value) => value === known[0]))
		return undefined;
	return better === LOWER ? Math.min(...known) : Math.max(...known);
}

/* The first policy has a value; each further one a value and its difference from the first. */
function measureCells(measure, values) {
	const best = bestOf(values, measure.better);

	return values.flatMap((value, at) => {
		const known = value !== undefined && value !== null;
		const kind = `value${known && value === best ? " best" : ""}${measure.mono ? " mono" : ""}`;
		const cell = make("td", { class: kind, "data-measure": measure.key, "data-policy": at },
			known ? measure.show(value) : "\u2013");
		if (at === 0)
			return [cell];
		const change = known && measure.better && typeof values[0] === "number"
			? (measure.change ?? relative)(value, values[0]) : "";
		return [cell, make("td", { class: "change" }, change)];
	});
}

function measureRow(measure, policies) {
	if (measure.group)
		return make("tr", { class: "group" },
			make("th", { colspan: 2 + 2 * policies.length, scope: "rowgroup" }, measure.group));
	const ways = { [LOWER]: ["\u2193", "lower is better"], [HIGHER]: ["\u2191", "higher is better"] };
	const [way, title] = ways[measure.better] ?? ["", undefined];
	return make("tr", {},
		make("th", { scope: "row" }, ...linkTerms(measure.label)),
		make("td", { class: "unit" }, ...linkTerms(measure.unit)),
		make("td", { class: "way", title, "aria-label": title }, way),
		...measureCells(measure, policies.map((policy) => lookUp(policy, measure.key))));
}

/* The head of a table of measureRow's. */
function comparisonHead(policies) {
	const names = policies.flatMap((policy, at) => [
		make("th", { class: "value policy", scope: "col" }, ...breakable(policy.policy)),
		...(at ? [make("td", { class: "change" })] : [])]);

	return make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "measure"),
		make("th", { class: "unit", scope: "col" }, "unit"),
		make("th", { class: "way", scope: "col" }, "better"), ...names));
}

function showComparison(policies, pageBytes) {
	const several = policies.length > 1;

	byId("comparison").append(comparisonHead(policies),
		make("tbody", {}, ...expandMeasures(policies).map((row) => measureRow(row, policies))));
	byId("comparison-lead").append(several
		? "Arrow: whether lower or higher is better; rows without one have no better side. Tinted: the best "
			+ `of the row. Small figures: the difference from ${policies[0].policy}.`
		: "Arrow: whether lower or higher is better. This replay has one policy and compares nothing.");
	byId("policies").append(...policies.flatMap((policy) =>
		[make("dt", {}, policy.policy), make("dd", {}, policy.about ?? "")]));
	showFreeBlocks(policies, pageBytes);
}

function showFreeBlocks(policies, pageBytes) {
	const rows = policies[0].free_blocks.map((_, order) => make("tr", {},
		make("th", { scope: "row" }, String(order)),
		make("td", { class: "unit" }, bytes(pageBytes * 2 ** order)),
		...policies.map((policy, at) => make("td",
			{ "data-measure": `free_blocks.${order}`, "data-policy": at },
			count(policy.free_blocks[order])))));

	byId("free-blocks").append(
		make("thead", {}, make("tr", {}, make("th", { scope: "col" }, ...linkTerms("{order}")),
			make("th", { class: "unit", scope: "col" }, "block"),
			...policies.map(({ policy }) =>
				make("th", { class: "policy", scope: "col" }, ...breakable(policy))))),
		make("tbody", {}, ...rows));
}

/* ---- Fidelity ledger ----------------------------------------------------------------------- */

const LEVELS = { ok: "ok", note: "\u25cb note", warn: "\u25b2 warn" };
const SEVERITY = ["ok", "note", "warn"];

function levelMark(level) {
	return make("span", { class: `level ${level}` }, LEVELS[level] ?? level);
}

function ledgerValue(value) {
	return typeof value === "number" ? count(value) : String(value);
}

/* A ledger table: `columns` are heads of value columns, each row has as many entries (or undefined). */
function ledgerTable(caption, columns, rows) {
	const body = rows.map(({ key, text, entries }) => {
		const worst = SEVERITY[Math.max(...entries.map((entry) => SEVERITY.indexOf(entry?.level ?? "ok")))];
		const cells = entries.map((entry, at) => make("td", { "data-ledger": key, "data-column": at,
			class: entries.length > 1 && entry?.level === "warn" ? "warn" : undefined },
			entry ? ledgerValue(entry.value) : "\u2013"));
		return make("tr", { class: worst === "warn" ? "warn" : undefined },
			make("td", {}, levelMark(worst ?? "note")),
			make("th", { scope: "row" }, make("code", {}, key)), ...cells,
			make("td", { class: "text" }, text));
	});
	const heads = make("tr", {}, make("th", { scope: "col" }, "level"),
		make("th", { scope: "col", class: "key" }, "key"),
		...columns.map((name) => make("th", { scope: "col", class: "policy" }, ...breakable(name))),
		make("th", { scope: "col", class: "text" }, "meaning"));
	return make("div", { class: "ledger-part", style: `--columns:${columns.length}` },
		make("h3", {}, caption), make("div", { class: "wide" },
			make("table", { class: "ledger" }, make("thead", {}, heads), make("tbody", {}, ...body))));
}

/* Rows of all the policies' ledgers by key, in order of first appearance. */
function mergeLedgers(policies) {
	const rows = new Map();

	policies.forEach((policy, at) => {
		for (const entry of policy.ledger) {
			if (!rows.has(entry.key))
				rows.set(entry.key, { key: entry.key, text: entry.text,
					entries: policies.map(() => undefined) });
			rows.get(entry.key).entries[at] = entry;
		}
	});
	return [...rows.values()];
}

function showLedger(data) {
	const all = [...data.ledger, ...data.policies.flatMap((policy) => policy.ledger)];
	const number = (level) => all.filter((entry) => entry.level === level).length;
	const noun = (nr, word) => `${nr} ${word}${nr === 1 ? "" : "s"}`;
	const [warnings, notes] = [number("warn"), number("note")];
	const own = mergeLedgers(data.policies);

	byId("ledger-sum").append(make("strong", { class: warnings ? "level warn" : "" },
		`${noun(warnings, "warning")}, ${noun(notes, "note")}`), ` among ${all.length} entries.`);
	byId("ledger").append(ledgerTable("Trace", ["value"],
		data.ledger.map((entry) => ({ key: entry.key, text: entry.text, entries: [entry] }))));
	if (own.length)
		byId("ledger").append(ledgerTable("Each policy", data.policies.map(({ policy }) => policy), own));
}

/* ---- Header and glossary ------------------------------------------------------------------- */

function showHeader(data) {
	const { trace, policies } = data;
	const nr = policies.length;
	const pageBytes = trace.page_bytes;
	const file = String(trace.path).split("/").pop();
	const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
	const facts = [
		["trace", trace.path], ["workload", trace.workload], ["machine", trace.machine],
		["CPUs, nodes", `${count(trace.cpus)}, ${count(trace.nodes)}`],
		["memory", `${count(trace.memory_pages)} pages (${bytes(trace.memory_pages * pageBytes)})`],
		["events", count(trace.events)], ["span", seconds(trace.span_ns)],
		["kernel", trace.kernel, "full"],
	];

	document.title = `pagus replay: ${file}, ${plural(nr, "policy").replace("policys", "policies")}`;
	byId("title").append(`Replay of ${file}: ${policies.map(({ policy }) => policy).join(", ")}`);
	byId("lead").append(nr > 1
		? "The same recorded requests and frees, with the pages placed by each policy in turn."
		: "Recorded requests and frees, with the pages placed by one policy.");
	byId("facts").append(...facts.map(([name, value, kind]) => make("div", { class: kind },
		make("dt", {}, name), make("dd", { "data-fact": name }, String(value ?? "unknown")))));
	byId("footer").append(`Written by pagus ${data.pagus}, data format ${data.format} version `
		+ `${data.version}. Charts by Chart.js ${Chart.version} (MIT License), embedded. `
		+ "This file loads nothing from any other place.");
	fillGlossary(pageBytes, trace.pageblock_order);
}

function fillGlossary(pageBytes, pageblockOrder) {
	const fills = {
		page: bytes(pageBytes),
		largest: bytes(pageBytes * 2 ** (NR_ORDERS - 1)),
		"pageblock-order": String(pageblockOrder),
		pageblock: `${count(2 ** pageblockOrder)} pages (${bytes(pageBytes * 2 ** pageblockOrder)})`,
	};

	for (const element of document.querySelectorAll("[data-fill]"))
		element.textContent = fills[element.dataset.fill];
}
