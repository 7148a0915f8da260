/* SPDX-License-Identifier: MIT */
/* Start: read, draw, and draw again when the width, the theme or the medium changes. */

const SELF_TEST = "#self-test";

function showError(error) {
	const plain = error instanceof DataError;

	byId("report").hidden = true;
	byId("error").hidden = false;
	byId("error").replaceChildren(
		make("h1", {}, "This report cannot be shown"),
		make("p", {}, plain ? `Its data cannot be used: ${error.message}.`
			: `The page itself failed: ${error.message}.`),
		make("p", {}, plain ? "The file is damaged, or was not written by pagus replay."
			: "This is a defect of pagus; please report it with this file."));
	document.body.dataset.state = "error";
}

/* The pixels of a part of a canvas, as 32-bit words. A copy is read: reading changes how a canvas is kept. */
function readPixels(canvas, { left = 0, top = 0, right = canvas.width, bottom = canvas.height } = {}) {
	const [width, height] = [Math.round(right - left), Math.round(bottom - top)];
	const copy = make("canvas", { width, height }).getContext("2d", { willReadFrequently: true });

	copy.drawImage(canvas, -Math.round(left), -Math.round(top));
	return new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer);
}

/* How many pixels of a chart's area and its edge have each of the colours "#rrggbb". */
function countColours(chart, wanted) {
	const ratio = chart.currentDevicePixelRatio;
	const { left, top, right, bottom } = chart.chartArea;
	const area = { left: (left - 2) * ratio, top: (top - 2) * ratio, right: (right + 2) * ratio,
		bottom: (bottom + 2) * ratio };
	const numbers = new Map();

	for (const word of readPixels(chart.canvas, area))
		numbers.set(word, (numbers.get(word) ?? 0) + 1);
	return wanted.map((hex) => numbers.get(pixelWord(hexParts(hex))) ?? 0);
}

/* For tests: move the controls and record on <body> what the canvases show in each state. */
function selfTest(charts, maps) {
	const nr = maps.maps.length;
	const look = () => ({
		moment: byId("moment").textContent,
		lastX: charts.charts.map((chart) => chart.scales.x.max),
		free: charts.charts.slice(0, nr).map((chart) => countColours(chart, LAYERS.map(layerColour))),
		mixed: countColours(charts.charts[nr], colours("lines")),
		asked: charts.charts.slice(nr + 1).map((chart) => countColours(chart, colours("lines"))),
		maps: maps.maps.map((map) => map.readBack(readPixels(map.canvas))),
	});
	const started = performance.now();
	const seen = { end: look() };

	maps.go(0);
	document.querySelector('[data-axis="event"]').click();
	seen.start = look();
	byId("slider").dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
	byId("slider").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
	seen.beforeEnd = look();
	document.body.dataset.seen = JSON.stringify(seen);
	document.body.dataset.selfTestMs = String(Math.round(performance.now() - started));
}

function onChangeOfMedium(draw) {
	let width = window.innerWidth;
	let waiting = 0;
	const onPaper = (on) => {
		document.documentElement.classList.toggle("paper", on);
		draw();
	};

	window.addEventListener("resize", () => {
		if (width === window.innerWidth)
			return;
		width = window.innerWidth;
		cancelAnimationFrame(waiting);
		waiting = requestAnimationFrame(draw);
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
	window.addEventListener("beforeprint", () => onPaper(true));
	window.addEventListener("afterprint", () => onPaper(false));
}

function start() {
	const data = readData(byId("data").textContent);

	byId("report").hidden = false;
	Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
	showHeader(data);
	showLedger(data);
	showComparison(data.policies, data.trace.page_bytes);
	showAsked(data);
	const charts = new Charts(data, (axis, x) => maps.goNear(axis, x));
	const maps = new Maps(data, (timeNs, event) => charts.mark(timeNs, event));
	const draw = () => {
		charts.draw();
		maps.draw();
	};
	draw();
	for (const button of document.querySelectorAll("[data-axis]")) {
		button.addEventListener("click", () => {
			for (const other of document.querySelectorAll("[data-axis]"))
				other.setAttribute("aria-pressed", String(other === button));
			charts.setAxis(button.dataset.axis);
		});
	}
	onChangeOfMedium(draw);
	if (location.hash === SELF_TEST)
		selfTest(charts, maps);
	document.body.dataset.state = "drawn";
}

try {
	start();
} catch (error) {
	showError(error);
	if (!(error instanceof DataError))
		throw error;
}
