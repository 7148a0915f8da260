/* SPDX-License-Identifier: MIT */
/* The map of memory: one cell a pageblock, all policies at one moment. */

const QUARTERS = ["up to 25 %", "26 to 50 %", "51 to 75 %", "76 to 100 %"];
const DEPTHS = [0.34, 0.56, 0.78, 1];
const CELL_MAX_PX = 18;
const MAP_MAX_PX = 640;
const LABEL_PX = 20;
const GAP_FROM_PX = 4;   /* cells of at least this size are drawn apart */
const DOT_FROM_PX = 7;   /* mixed cells of at least this size have a dot: colour is not the only sign */
const FRAME_FROM_PX = 2; /* superpageblocks are framed where a cell can spare a pixel */
const PLAY_STEP_MS = 120;

function cellClass(code) {
	return CLASSES[(code - CELL_USED) >> 2];
}

function cellText(code) {
	if (code === CELL_HOLE)
		return "hole: no memory";
	if (code === CELL_EMPTY)
		return "nothing in use";
	const name = cellClass(code);
	const words = { unmovable: "unmovable only", reclaimable: "reclaimable, nothing movable",
		movable: "movable only", mixed: "mixed" };
	return `${words[name]}, ${QUARTERS[(code - CELL_USED) & 3]} in use`;
}

function cellColour(code) {
	if (code === CELL_EMPTY)
		return tint("empty", 1);
	return tint(cellClass(code), DEPTHS[(code - CELL_USED) & 3]);
}

/* A colour as the 32-bit word that ImageData holds. Canvas memory is in byte order, RGBA. */
function pixelWord([red, green, blue]) {
	return new Uint32Array(Uint8Array.of(red, green, blue, 255).buffer)[0];
}

function makePalette() {
	const words = new Uint32Array(NR_CELL_CODES);

	for (let code = CELL_EMPTY; code < NR_CELL_CODES; code++)
		words[code] = pixelWord(cellColour(code));
	return words;
}

/*
 * The shape of a map in device pixels. A row holds a power of two of pageblocks and begins at a multiple
 * of that, so that a column means the same distance in every row, zone and policy.
 */
function layOut(zones, blockPages, widthPx, ratio) {
	const bands = zones.filter((zone) => zone.nr_cells > 0).map((zone) => ({ ...zone,
		firstBlock: Math.floor(zone.first_pfn / blockPages) }));
	const shapes = [16, 32, 64, 128, 256, 512, 1024].map((columns) => {
		const cell = Math.min(Math.floor(widthPx / columns), Math.floor(CELL_MAX_PX * ratio));
		const rows = bands.map(({ firstBlock, nr_cells }) =>
			Math.floor((firstBlock + nr_cells - 1) / columns) - Math.floor(firstBlock / columns) + 1);
		const height = rows.reduce((sum, nr) => sum + nr * cell + Math.round(LABEL_PX * ratio), 0);
		return { columns, cell, rows, height };
	}).filter(({ cell }) => cell >= 1);
	/* The largest cells that keep the height; of equal cells, the longest rows. */
	const shape = shapes.filter(({ height }) => height <= MAP_MAX_PX * ratio)
		.reduce((best, other) => other.cell >= best.cell ? other : best, shapes.at(-1));
	let top = 0;

	bands.forEach((band, at) => {
		band.rowZero = Math.floor(band.firstBlock / shape.columns);
		band.top = top + Math.round(LABEL_PX * ratio);
		band.height = shape.rows[at] * shape.cell;
		top = band.top + band.height;
	});
	return { ...shape, bands, width: shape.columns * shape.cell };
}

class PolicyMap {
	constructor(policy, at, trace, onHover) {
		this.policy = policy;
		this.blockPages = 2 ** trace.pageblock_order;
		/* Pageblocks of a superpageblock; none where the data have none. */
		this.perSuper = (policy.superpageblocks?.mib ?? Infinity) * 2 ** 20 / (this.blockPages * trace.page_bytes);
		this.canvas = make("canvas", { id: `map-${at}`, role: "img", tabindex: "0" });
		this.pick = make("div", { class: "pick", hidden: "" });
		this.counts = make("div", { class: "counts" });
		this.holder = make("div", { class: "map" }, this.canvas, this.pick);
		this.figure = make("figure", {}, make("figcaption", {}, policy.policy), this.holder, this.counts);
		this.canvas.addEventListener("pointermove", (event) => onHover(this.cellAt(event), event));
		this.canvas.addEventListener("pointerdown", (event) => onHover(this.cellAt(event), event));
		this.canvas.addEventListener("pointerleave", (event) => onHover(null, event));
	}

	/* Fit the map to its figure's width: everything that does not change with the moment. */
	fit() {
		const ratio = window.devicePixelRatio || 1;
		const { canvas } = this;

		this.ratio = ratio;
		this.shape = layOut(this.policy.map.zones, this.blockPages,
			Math.floor(this.figure.clientWidth * ratio), ratio);
		canvas.width = this.shape.width;
		canvas.height = Math.max(1, this.shape.height);
		canvas.style.width = `${canvas.width / ratio}px`;
		canvas.style.height = `${canvas.height / ratio}px`;
		this.context = canvas.getContext("2d");
		this.image = this.context.createImageData(canvas.width, canvas.height);
		this.words = new Uint32Array(this.image.data.buffer);
		this.palette = makePalette();
		this.paper = pixelWord(tint("paper", 1));
		this.lines = { tainted: pixelWord(tint("ink", 1)), clean: pixelWord(tint("quiet", 0.6)) };
		this.drawLabels();
	}

	drawLabels() {
		const { context, shape, ratio } = this;

		context.clearRect(0, 0, shape.width, shape.height);
		context.font = `${Math.round(11 * ratio)}px ${getComputedStyle(document.body).fontFamily}`;
		context.fillStyle = colour("quiet");
		context.textBaseline = "alphabetic";
		for (const band of shape.bands) {
			const nr = `${count(band.nr_cells)} pageblock${band.nr_cells === 1 ? "" : "s"}`;
			context.fillText(`node ${band.node} ${band.name}: ${nr} from pfn ${band.first_pfn}`,
				0, band.top - Math.round(5 * ratio), shape.width);
		}
	}

	/* The slice that held at an event: the last one not after it. */
	sliceAt(event) {
		const { slices } = this.policy;
		let found = slices[0];

		for (const slice of slices) {
			if (slice.event <= event)
				found = slice;
		}
		return found;
	}

	/* For tests: the cells as characters, found again from the colours at their places. */
	readBack(words) {
		const codes = new Map([...this.palette].map((word, code) => [code === CELL_HOLE ? 0 : word, code]));
		const found = Array(this.cells.length).fill("?");

		for (const band of this.shape.bands) {
			for (let at = 0; at < band.nr_cells; at++) {
				const code = codes.get(words[this.pixelOf(band, at)]) ?? CELL_BAD;
				found[band.first_cell + at] = code === CELL_BAD ? "?"
					: String.fromCharCode(CELL_OF_CHAR.indexOf(code));
			}
		}
		return found.join("");
	}

	show(event) {
		const slice = this.sliceAt(event);

		this.cells = slice.cells;
		this.words.fill(0);
		for (const band of this.shape.bands)
			this.drawBand(band);
		this.showCounts();
	}

	/* Index of the first pixel of a band's n-th cell. */
	pixelOf(band, at) {
		const { columns, cell, width } = this.shape;
		const block = band.firstBlock + at;

		return (band.top + (Math.floor(block / columns) - band.rowZero) * cell) * width
			+ (block % columns) * cell;
	}

	drawBand(band) {
		const { cells, shape, palette, words } = this;
		const { cell, width } = shape;
		const side = cell >= GAP_FROM_PX ? cell - 1 : cell;
		const dotted = cell >= DOT_FROM_PX;

		for (let at = 0; at < band.nr_cells; at++) {
			const code = cells[band.first_cell + at];
			if (code === CELL_HOLE)
				continue;
			const from = this.pixelOf(band, at);
			for (let row = 0; row < side; row++)
				words.fill(palette[code], from + row * width, from + row * width + side);
			if (dotted && code >= CELL_USED && cellClass(code) === "mixed")
				this.drawDot(from, side);
		}
		if (cell >= FRAME_FROM_PX)
			this.drawFrames(band);
		this.context.putImageData(this.image, 0, 0, 0, band.top, width, band.height);
	}

	/* Numbers of the band's superpageblocks that hold anything that cannot move. */
	taintedIn(band) {
		const numbers = new Set();

		for (let at = 0; at < band.nr_cells; at++) {
			const code = this.cells[band.first_cell + at];
			if (code >= CELL_USED && cellClass(code) !== "movable")
				numbers.add(Math.floor((band.firstBlock + at) / this.perSuper));
		}
		return numbers;
	}

	/* Lines where superpageblocks meet, at the far edges of cells, so that no cell loses its first pixel. */
	drawFrames(band) {
		const { shape, perSuper, words, lines } = this;
		const { cell, columns, width } = shape;
		const tainted = this.taintedIn(band);
		const numberOf = (block) => Math.floor(block / perSuper);
		const last = band.firstBlock + band.nr_cells - 1;
		const line = (a, b) => tainted.has(a) || tainted.has(b) ? lines.tainted : lines.clean;

		for (let at = 0; at < band.nr_cells; at++) {
			const block = band.firstBlock + at;
			const [own, right, below] = [block, block + 1, block + columns].map(numberOf);
			const from = this.pixelOf(band, at);
			if (right !== own && block < last && right * perSuper % columns !== 0) {
				for (let row = 0; row < cell; row++)
					words[from + row * width + cell - 1] = line(own, right);
			}
			if (below !== own && block + columns <= last) {
				const edge = from + (cell - 1) * width;
				words.fill(line(own, below), edge, edge + cell);
			}
		}
	}

	drawDot(from, side) {
		const { width } = this.shape;
		const inset = Math.floor(side / 3);

		for (let row = inset; row < side - inset; row++)
			this.words.fill(this.paper, from + row * width + inset, from + row * width + side - inset);
	}

	showCounts() {
		const numbers = new Uint32Array(NR_CELL_CODES);
		const sum = (first, nr) => numbers.subarray(first, first + nr).reduce((a, b) => a + b, 0);

		for (const band of this.shape.bands) {
			for (let at = band.first_cell; at < band.first_cell + band.nr_cells; at++)
				numbers[this.cells[at]]++;
		}
		const parts = [...CLASSES.map((name, at) => [name, sum(CELL_USED + 4 * at, 4)]).reverse(),
			["nothing in use", numbers[CELL_EMPTY]]];
		this.counts.replaceChildren(...parts.map(([name, nr]) =>
			make("span", {}, make("b", {}, count(nr)), ` ${name}`)), ...this.superpageblockCount());
		this.canvas.setAttribute("aria-label", `map of memory, policy ${this.policy.policy}, pageblocks: `
			+ parts.map(([name, nr]) => `${nr} ${name}`).join(", "));
	}

	/* How many superpageblocks are tainted at this moment, those that zones share counted in each. */
	superpageblockCount() {
		if (!Number.isFinite(this.perSuper))
			return [];
		const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
		const tainted = sum(this.shape.bands.map((band) => this.taintedIn(band).size));
		const all = sum(this.shape.bands.map(({ firstBlock, nr_cells }) =>
			Math.floor((firstBlock + nr_cells - 1) / this.perSuper) - Math.floor(firstBlock / this.perSuper) + 1));
		return [make("span", { class: "tainted" }, make("b", {}, count(tainted)),
			` of ${count(all)} superpageblocks tainted`)];
	}

	/* The cell under a pointer: its band and place in it, or null. */
	cellAt(event) {
		const { bands, columns, cell } = this.shape;
		const [x, y] = [event.offsetX * this.ratio, event.offsetY * this.ratio];
		const band = bands.find(({ top, height }) => y >= top && y < top + height);

		if (!band || x < 0 || x >= columns * cell)
			return null;
		const block = (band.rowZero + Math.floor((y - band.top) / cell)) * columns + Math.floor(x / cell);
		const at = block - band.firstBlock;
		return at >= 0 && at < band.nr_cells ? { cell: band.first_cell + at } : null;
	}

	/* Where a cell is: its band, pageblock number and pfns. */
	describe(cell) {
		const band = this.shape.bands.find(({ first_cell, nr_cells }) =>
			cell >= first_cell && cell < first_cell + nr_cells);
		if (!band)
			return null;
		const block = band.firstBlock + cell - band.first_cell;
		return { band, block, firstPfn: block * this.blockPages, lastPfn: (block + 1) * this.blockPages - 1 };
	}

	/* Frame a cell, or none. */
	frame(cell) {
		const place = cell === null ? null : this.describe(cell);
		const { columns, cell: size } = this.shape;

		this.pick.hidden = !place;
		if (!place)
			return;
		const x = (place.block % columns) * size / this.ratio;
		const row = Math.floor(place.block / columns) - place.band.rowZero;
		const y = (place.band.top + row * size) / this.ratio;
		const side = size / this.ratio;
		Object.assign(this.pick.style, { left: `${x - 3}px`, top: `${y - 3}px`, width: `${side + 5}px`,
			height: `${side + 5}px` });
	}
}

/* All the maps, and the player that moves them. `onMoment(timeNs, event)` follows the slider. */
class Maps {
	constructor(data, onMoment) {
		this.onMoment = onMoment;
		this.moments = data.policies.reduce((most, { slices }) =>
			slices.length > most.length ? slices : most, []);
		this.maps = data.policies.map((policy, at) => new PolicyMap(policy, at, data.trace,
			(place, event) => this.hover(place, event)));
		this.blockBytes = data.trace.page_bytes * 2 ** data.trace.pageblock_order;
		this.timer = null;
		byId("maps").dataset.nr = this.maps.length;
		byId("maps").append(...this.maps.map(({ figure }) => figure));
		this.slider = byId("slider");
		this.slider.max = this.moments.length - 1;
		this.slider.value = this.moments.length - 1;
		this.slider.addEventListener("input", () => this.show());
		byId("play").addEventListener("click", () => this.play(this.timer === null));
		byId("map").addEventListener("keydown", (event) => this.key(event));
		for (const name of ["scroll", "resize"])
			window.addEventListener(name, () => this.hover(null), { passive: true });
	}

	draw() {
		this.maps.forEach((map) => map.fit());
		const { columns } = this.maps[0].shape;
		byId("map-lead").replaceChildren("One cell is one ",
			make("a", { href: "#g-pageblock" }, "pageblock"), ` (${bytes(this.blockBytes)}), one full row `
			+ `${bytes(this.blockBytes * columns)} of physical memory. Hue: what is in use in it. Depth: how much of `
			+ "it is in use. Lines: where ", make("a", { href: "#g-superpageblock" }, "superpageblocks"),
			" meet; strong ones around those that are tainted.");
		this.legend();
		this.show();
	}

	legend() {
		const swatch = (code, more = "") => make("i", { class: `swatch ${more}`, title: cellText(code),
			style: `background:rgb(${cellColour(code).join()})` });
		const ramp = (name, text) => {
			const first = CELL_USED + 4 * CLASSES.indexOf(name);
			return make("span", {}, ...[0, 1, 2, 3].map((quarter) =>
				swatch(first + quarter, name === "mixed" ? "dot" : "")), text);
		};
		byId("map-legend").replaceChildren(
			ramp("mixed", "mixed: movable with unmovable or reclaimable"),
			ramp("movable", "movable only"), ramp("reclaimable", "reclaimable, nothing movable"),
			ramp("unmovable", "unmovable only"),
			make("span", {}, swatch(CELL_EMPTY), "nothing in use"),
			make("span", {}, "depths: up to 25, 50, 75, 100 % of pages in use; holes are left blank"));
	}

	show() {
		const at = Number(this.slider.value);
		const { timeNs, event } = this.moments[at];

		this.maps.forEach((map) => map.show(event));
		const text = `${momentText(timeNs, event)}, ${at + 1}/${this.moments.length}`;
		byId("moment").textContent = text;
		this.slider.setAttribute("aria-valuetext", text);
		this.onMoment(timeNs, event);
	}

	go(at) {
		this.slider.value = Math.max(0, Math.min(this.moments.length - 1, at));
		this.show();
	}

	/* Go to the slice nearest to x on an axis of the charts. */
	goNear(axis, x) {
		const distance = (at) => {
			const { timeNs, event } = this.moments[at];
			return Math.abs((axis === "time" ? timeNs / 1e9 : event) - x);
		};
		this.play(false);
		this.go([...this.moments.keys()].reduce((best, at) => distance(at) < distance(best) ? at : best, 0));
	}

	play(on) {
		const last = this.moments.length - 1;

		clearInterval(this.timer);
		this.timer = null;
		byId("play").setAttribute("aria-pressed", String(on));
		byId("play").textContent = on ? "Pause" : "Play";
		if (!on)
			return;
		if (Number(this.slider.value) === last)
			this.go(0);
		this.timer = setInterval(() => {
			this.go(Number(this.slider.value) + 1);
			if (Number(this.slider.value) === last)
				this.play(false);
		}, PLAY_STEP_MS);
	}

	key(event) {
		const at = Number(this.slider.value);
		const targets = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1,
			PageDown: at - 10, PageUp: at + 10, Home: 0, End: this.moments.length - 1 };

		if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("a"))
			return;
		if (event.key === " " && event.target.id !== "play")
			this.play(this.timer === null);
		else if (event.key in targets)
			this.go(targets[event.key]);
		else
			return;
		event.preventDefault();
	}

	/* Frame the cell in every map and say what each policy has there. */
	hover(place, event) {
		const tip = byId("tip");
		const where = place && this.maps[0].describe(place.cell);

		this.maps.forEach((map) => map.frame(where ? place.cell : null));
		tip.hidden = !where;
		if (!where)
			return;
		const rows = this.maps.map((map) => {
			const code = map.cells[place.cell] ?? CELL_HOLE;
			const swatch = make("i", code === CELL_HOLE ? { class: "swatch hole" } : { class: "swatch",
				style: `background:rgb(${cellColour(code).join()})` });
			return make("tr", {}, make("td", {}, swatch), make("td", {}, map.policy.policy),
				make("td", {}, cellText(code)));
		});
		tip.replaceChildren(make("b", {}, `pageblock ${count(where.block)}`), make("br"),
			`pfn ${where.firstPfn} to ${where.lastPfn}, node ${where.band.node} ${where.band.name}`,
			make("table", {}, ...rows));
		const { innerWidth, innerHeight } = window;
		const left = Math.min(event.clientX + 16, innerWidth - tip.offsetWidth - 8);
		const below = event.clientY + 18;
		tip.style.left = `${Math.max(8, left)}px`;
		const fits = below + tip.offsetHeight <= innerHeight;
		tip.style.top = `${fits ? below : event.clientY - tip.offsetHeight - 12}px`;
	}
}
