/* SPDX-License-Identifier: MIT */
/* The data of the report: reading and checking it, and how its figures are printed. */

const FORMAT = "pagus-replay";
const VERSION = 1;
const NR_ORDERS = 11;
const CLASSES = ["unmovable", "reclaimable", "movable", "mixed"];

/* A cell's code: what a map is made of after decoding. From CELL_USED on, 4 * class + quarter. */
const CELL_HOLE = 0;
const CELL_EMPTY = 1;
const CELL_USED = 2;
const NR_CELL_CODES = CELL_USED + 4 * CLASSES.length;
const CELL_BAD = 255;

const CELL_OF_CHAR = new Uint8Array(128).fill(CELL_BAD);
CELL_OF_CHAR[" ".charCodeAt(0)] = CELL_HOLE;
CELL_OF_CHAR[".".charCodeAt(0)] = CELL_EMPTY;
for (let code = CELL_USED; code < NR_CELL_CODES; code++)
	CELL_OF_CHAR["A".charCodeAt(0) + code - CELL_USED] = code;

class DataError extends Error {}

function check(ok, what) {
	if (!ok)
		throw new DataError(what);
}

function checkList(list, length, what) {
	check(Array.isArray(list), `${what} is not a list`);
	check(length === undefined || list.length === length,
		`${what} has ${list.length} entries, not ${length}`);
}

function cellOf(text, at, what) {
	const code = CELL_OF_CHAR[text.charCodeAt(at)] ?? CELL_BAD;
	check(code !== CELL_BAD, `${what}: entry ${at} is no cell: ${JSON.stringify(text[at])}`);
	return code;
}

/* The cells after `slice`, given those before it. */
function decodeChange(slice, before, what) {
	const cells = before.slice();
	let at = 0;

	check(typeof slice.cells === "string", `${what}.cells is not a text`);
	checkList(slice.skip, slice.cells.length, `${what}.skip`);
	for (let i = 0; i < slice.cells.length; i++) {
		at += slice.skip[i];
		check(at >= 0 && at < cells.length, `${what}: change ${i} lies outside the map`);
		cells[at++] = cellOf(slice.cells, i, what);
	}
	return cells;
}

/* Every slice of a map as a typed array of cell codes, so that showing one costs no decoding. */
function decodeSlices(slices, what) {
	checkList(slices, undefined, what);
	check(slices.length > 0, `${what} is empty`);
	check(typeof slices[0].cells === "string", `${what}[0].cells is not a text`);

	const first = Uint8Array.from({ length: slices[0].cells.length },
		(_, at) => cellOf(slices[0].cells, at, `${what}[0]`));
	const out = [{ timeNs: slices[0].time_ns, event: slices[0].event, cells: first }];
	for (let i = 1; i < slices.length; i++) {
		const cells = decodeChange(slices[i], out[i - 1].cells, `${what}[${i}]`);
		out.push({ timeNs: slices[i].time_ns, event: slices[i].event, cells });
	}
	return out;
}

function checkSeries(series, what) {
	checkList(series?.time_ns, undefined, `${what}.time_ns`);
	check(series.time_ns.length > 0, `${what} has no samples`);
	for (const key of ["event", "free_pages_by_order", "pcp_pages", "mixed_pageblocks"])
		checkList(series[key], series.time_ns.length, `${what}.${key}`);
	/* Data of what was asked beyond the recording came later than the rest. */
	for (const key of ["copied_bytes", "huge_granted"])
		checkList(series[key] ?? (series[key] = series.time_ns.map(() => 0)), series.time_ns.length,
			`${what}.${key}`);
	series.free_pages_by_order.forEach((orders, at) =>
		checkList(orders, NR_ORDERS, `${what}.free_pages_by_order[${at}]`));
}

function checkPolicy(policy, what) {
	check(typeof policy?.policy === "string", `${what}.policy is not a text`);
	checkList(policy.free_blocks, NR_ORDERS, `${what}.free_blocks`);
	checkList(policy.ledger, undefined, `${what}.ledger`);
	checkSeries(policy.series, `${what}.series`);
	checkList(policy.map?.zones, undefined, `${what}.map.zones`);
	policy.slices = decodeSlices(policy.map.slices, `${what}.map.slices`);
	for (const zone of policy.map.zones) {
		check(zone.first_cell >= 0 && zone.nr_cells >= 0 &&
			zone.first_cell + zone.nr_cells <= policy.slices[0].cells.length,
			`${what}.map: zone ${zone.name} lies outside the cells`);
	}
}

/* Parse the data and check all that the page relies on; DataError says what is wrong. */
function readData(text) {
	let data;

	check(text.trim() !== "", "there is no data in this file");
	try {
		data = JSON.parse(text);
	} catch (error) {
		throw new DataError(`the data is not JSON, or is cut short: ${error.message}`);
	}
	check(data?.format === FORMAT, `the data's format is not ${FORMAT}`);
	check(data.version === VERSION, `the data has version ${data.version}; this page reads ${VERSION}`);
	check(data.trace !== null && typeof data.trace === "object", "trace is missing");
	checkList(data.ledger, undefined, "ledger");
	if (data.whatif)
		checkList(data.whatif.assumptions, undefined, "whatif.assumptions");
	checkList(data.policies, undefined, "policies");
	check(data.policies.length > 0, "policies is empty");
	data.policies.forEach((policy, at) => checkPolicy(policy, `policies[${at}]`));
	return data;
}

/* ---- Figures in print ---------------------------------------------------------------------- */

function fixed(value, digits) {
	return value.toLocaleString("en-US",
		{ minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function count(value) {
	return value.toLocaleString("en-US", { maximumFractionDigits: 4 });
}

/* 2 MiB, 874 MiB, 15.6 GiB: a binary unit, one decimal below a hundred where it is not whole. */
function bytes(value) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let unit = 0;

	while (value >= 1024 && unit < units.length - 1) {
		value /= 1024;
		unit++;
	}
	return `${fixed(value, value < 100 && value % 1 !== 0 ? 1 : 0)} ${units[unit]}`;
}

function seconds(ns) {
	return `${fixed(ns / 1e9, ns < 1e9 ? 6 : 3)} s`;
}

/* A page element: tag, attributes, children (texts or elements). */
function make(tag, attributes, ...children) {
	const element = document.createElement(tag);

	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value !== undefined)
			element.setAttribute(name, value);
	}
	element.append(...children);
	return element;
}

/* A policy's name, that may break behind its plus sign. */
function breakable(name) {
	return name.split(/(?<=\+)/).flatMap((part, at) => at ? [make("wbr"), part] : [part]);
}

function byId(id) {
	return document.getElementById(id);
}

/* A colour or list of colours as the style sheet defines it for the theme in use. */
function colour(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function colours(name) {
	return colour(name).split(/\s+/);
}

/* "#rrggbb" as three numbers. */
function hexParts(hex) {
	return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/* A colour of the style sheet, `share` of it mixed into the paper's, as three numbers. */
function tint(name, share) {
	const paper = hexParts(colour("paper"));

	return hexParts(colour(name)).map((part, i) => Math.round(paper[i] + (part - paper[i]) * share));
}
