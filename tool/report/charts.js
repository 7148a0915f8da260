/* SPDX-License-Identifier: MIT */
/* The charts over time: free memory by order, mixed pageblocks, and what was asked beyond the recording. */

const DASHES = [[], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [12, 4]];
const END_LABELS_FROM_PX = 640;

/* x of each sample on the axis in use: seconds, or events. */
function sampleX(series, axis) {
	return axis === "time" ? series.time_ns.map((ns) => ns / 1e9) : series.event;
}

function axisTitle(axis) {
	return axis === "time" ? "seconds" : "events";
}

function shortCount(value) {
	if (value >= 1e6)
		return `${count(value / 1e6)} M`;
	return value >= 1e3 ? `${count(value / 1e3)} k` : count(value);
}

/* The scale on which all of free memory is shown: a unit, and a round upper end. */
function memoryScale(data) {
	const most = Math.max(...data.policies.map(({ series }) => Math.max(...series.pcp_pages.map(
		(pcp, at) => series.free_pages_by_order[at].reduce((sum, pages) => sum + pages, pcp)))));
	const mib = most * data.trace.page_bytes / 2 ** 20;
	const [unit, unitBytes] = mib >= 8192 ? ["GiB", 2 ** 30] : ["MiB", 2 ** 20];
	const top = Math.max(1, most * data.trace.page_bytes / unitBytes);
	const power = 10 ** Math.floor(Math.log10(top));
	const max = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((end) => end >= top);

	return { unit, perPage: data.trace.page_bytes / unitBytes, max };
}

function baseOptions(axis, range) {
	const [ink, rule] = [colour("quiet"), colour("rule")];
	const grid = { color: rule, borderColor: rule, tickColor: rule, drawTicks: true, tickLength: 4 };
	const ticks = { color: ink, font: { size: 11 }, maxRotation: 0, padding: 3 };

	return {
		animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
		interaction: { mode: "index", intersect: false },
		scales: {
			x: { type: "linear", min: range[0], max: range[1], grid: { ...grid, drawOnChartArea: false },
				title: { display: true, text: axisTitle(axis), color: ink, font: { size: 11 },
					align: "end", padding: 0 },
				ticks: { ...ticks, maxTicksLimit: 7, callback: shortCount, includeBounds: false } },
			y: { min: 0, grid, ticks: { ...ticks, maxTicksLimit: 6 } },
		},
		plugins: { legend: { display: false }, tooltip: tooltipStyle() },
	};
}

function tooltipStyle() {
	return {
		backgroundColor: colour("paper"), titleColor: colour("ink"), bodyColor: colour("ink"),
		borderColor: colour("quiet"), borderWidth: 1, cornerRadius: 5, padding: 7, caretSize: 0,
		titleFont: { size: 11 }, bodyFont: { size: 11 }, boxWidth: 9, boxHeight: 9, boxPadding: 3,
		bodySpacing: 1, animation: false,
	};
}

function momentText(timeNs, event) {
	return `${fixed(timeNs / 1e9, 3)} s, event ${count(event)}`;
}

/* Places the line that marks the map's moment, whenever the chart's area has changed. */
const MOMENT_LINE = {
	id: "moment",
	afterLayout: (chart) => chart.placeMoment?.(),
};

/* A figure with a caption and a canvas in a box that gives the chart its size. */
function makePlot(caption, label, id) {
	const canvas = make("canvas", { id, role: "img", "aria-label": label });
	const line = make("div", { class: "now" });
	const box = make("div", { class: "plot" }, canvas, line);

	const unit = make("span", {});
	return { canvas, line, box, unit,
		figure: make("figure", {}, make("figcaption", {}, caption, " ", unit), box) };
}

/* Layers from the bottom: order 10 to order 0, then pages on pcp lists. */
const LAYERS = [...Array(NR_ORDERS).keys()].reverse().concat("pcp");

function layerPages(series, layer, at) {
	return layer === "pcp" ? series.pcp_pages[at] : series.free_pages_by_order[at][layer];
}

function layerName(layer) {
	return layer === "pcp" ? "pcp lists" : `order ${layer}`;
}

function layerColour(layer) {
	return layer === "pcp" ? colour("pcp") : colours("orders")[layer];
}

/* Each layer's upper edge; the layer is filled down to the one below. */
function stackLayers(series, xs, perPage) {
	const sums = xs.map(() => 0);

	return LAYERS.map((layer, nr) => ({
		label: layerName(layer),
		data: xs.map((x, at) => {
			sums[at] += layerPages(series, layer, at) * perPage;
			return { x, y: sums[at] };
		}),
		fill: nr === 0 ? "origin" : "-1", backgroundColor: layerColour(layer),
		borderColor: colour("paper"), borderWidth: 0.4, pointRadius: 0, pointHoverRadius: 0,
	}));
}

function makeFreeChart(policy, plot, scale, axis, range) {
	const { series } = policy;
	const options = baseOptions(axis, range);

	options.scales.y.max = scale.max;
	options.plugins.tooltip.itemSort = (a, b) => b.datasetIndex - a.datasetIndex;
	options.plugins.tooltip.callbacks = {
		title: ([item]) => item
			? momentText(series.time_ns[item.dataIndex], series.event[item.dataIndex]) : "",
		label: (item) => {
			const pages = layerPages(series, LAYERS[item.datasetIndex], item.dataIndex);
			return `${item.dataset.label}: ${fixed(pages * scale.perPage, 1)} ${scale.unit}`;
		},
		labelColor: ({ dataset }) => ({ borderColor: dataset.backgroundColor,
			backgroundColor: dataset.backgroundColor }),
	};
	return new Chart(plot.canvas, { type: "line", options, plugins: [MOMENT_LINE],
		data: { datasets: stackLayers(series, sampleX(series, axis), scale.perPage) } });
}

/* Names at the ends of the lines, moved apart where they would overlap. */
const END_LABELS = {
	id: "endLabels",
	afterDatasetsDraw(chart) {
		if (chart.width < END_LABELS_FROM_PX)
			return;
		const { ctx, chartArea } = chart;
		const gap = 15;
		const labels = chart.data.datasets.map((dataset, at) => ({
			text: `${dataset.label} ${count(dataset.data.at(-1).y)}`, colour: dataset.borderColor,
			y: chart.getDatasetMeta(at).data.at(-1).y,
		})).sort((a, b) => a.y - b.y);
		labels.forEach((label, at) => {
			label.y = Math.max(label.y, at ? labels[at - 1].y + gap : chartArea.top + 4);
		});
		labels.reverse().forEach((label, at) => {
			label.y = Math.min(label.y, at ? labels[at - 1].y - gap : chartArea.bottom - 4);
		});
		ctx.save();
		ctx.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
		ctx.textBaseline = "middle";
		for (const label of labels) {
			ctx.fillStyle = label.colour;
			ctx.fillText(label.text, chartArea.right + 8, label.y);
		}
		ctx.restore();
	},
};

/* One line a policy. */
function makeLines(policies, plot, axis, range, valuesOf) {
	const options = baseOptions(axis, range);
	const lines = colours("lines");
	const values = policies.map(valuesOf);
	const longest = Math.max(...policies.map(({ policy }) => policy.length));

	options.interaction = { mode: "nearest", axis: "x", intersect: false };
	options.layout = { padding: { right: plot.box.clientWidth < END_LABELS_FROM_PX ? 8
		: 24 + 7.2 * (longest + 6) } };
	options.scales.y.ticks.precision = 0;
	options.scales.y.suggestedMax = 4;
	options.plugins.tooltip.callbacks = {
		title: ([item]) => {
			const series = item && policies[item.datasetIndex].series;
			return series ? momentText(series.time_ns[item.dataIndex], series.event[item.dataIndex]) : "";
		},
		label: (item) => `${item.dataset.label}: ${count(item.parsed.y)}`,
		labelColor: ({ dataset }) => ({ borderColor: dataset.borderColor,
			backgroundColor: dataset.borderColor }),
	};
	const datasets = policies.map(({ policy, series }, at) => ({
		label: policy, borderColor: lines[at % lines.length], borderDash: DASHES[at % DASHES.length],
		data: sampleX(series, axis).map((x, i) => ({ x, y: values[at][i] })),
		borderWidth: 2, pointRadius: 0, pointHoverRadius: 3, fill: false, borderJoinStyle: "round",
		clip: 3, /* a line along zero is shown in its whole width */
	}));
	return new Chart(plot.canvas, { type: "line", options, data: { datasets },
		plugins: [MOMENT_LINE, END_LABELS] });
}

/* All charts of the page. `onPick(x)` is told when a chart is clicked. */
class Charts {
	constructor(data, onPick) {
		this.data = data;
		this.onPick = onPick;
		this.axis = "time";
		this.moment = null;
		this.charts = [];
		this.plots = data.policies.map(({ policy }, at) => makePlot(policy,
			`free memory by order over time, policy ${policy}`, `free-${at}`));
		this.mixedPlot = makePlot("", "mixed pageblocks over time, one line a policy", "mixed-line");
		byId("free-charts").dataset.nr = this.plots.length;
		byId("free-charts").append(...this.plots.map(({ figure }) => figure));
		this.lines = askedLines(data);
		this.linePlots = this.lines.map(({ id, caption, unit }) => {
			const plot = makePlot(caption, `${caption.toLowerCase()} over time, one line a policy`, id);
			plot.unit.append(unit);
			return plot;
		});
		byId("asked-charts").dataset.nr = this.lines.length;
		byId("asked-charts").append(...this.linePlots.map(({ figure }) => figure));
		byId("mixed-chart").append(this.mixedPlot.canvas, this.mixedPlot.line);
		this.mixedPlot.box = byId("mixed-chart");
	}

	/* First and last x of all samples: every chart has this range. */
	range() {
		const xs = this.data.policies.flatMap(({ series }) => sampleX(series, this.axis));
		const ends = xs.reduce(([low, high], x) => [Math.min(low, x), Math.max(high, x)],
			[Infinity, -Infinity]);

		return ends[0] < ends[1] ? ends : [ends[0], ends[0] + 1];
	}

	/* Draw all anew, with the theme's colours of this moment. */
	draw() {
		const { policies } = this.data;
		const scale = memoryScale(this.data);
		const range = this.range();

		this.charts.forEach((chart) => chart.destroy());
		this.plots.forEach(({ unit }) => unit.replaceChildren(scale.unit));
		this.charts = policies.map((policy, at) =>
			makeFreeChart(policy, this.plots[at], scale, this.axis, range));
		this.charts.push(makeLines(policies, this.mixedPlot, this.axis, range,
			({ series }) => series.mixed_pageblocks));
		this.charts.push(...this.lines.map(({ values }, at) =>
			makeLines(policies, this.linePlots[at], this.axis, range, values)));
		const plots = [...this.plots, this.mixedPlot, ...this.linePlots];
		this.charts.forEach((chart, at) => this.follow(chart, plots[at]));
		this.legends();
	}

	follow(chart, plot) {
		chart.placeMoment = () => {
			const { left, right, top, bottom } = chart.chartArea ?? {};
			if (this.moment === null || left === undefined)
				return;
			const x = chart.scales.x.getPixelForValue(this.moment[this.axis]);
			plot.line.hidden = !(x >= left && x <= right);
			Object.assign(plot.line.style,
				{ left: `${x}px`, top: `${top}px`, height: `${bottom - top}px` });
		};
		plot.canvas.onclick = (event) => {
			const x = chart.scales.x.getValueForPixel(event.offsetX);
			this.onPick(this.axis, x);
		};
		chart.placeMoment();
	}

	legends() {
		const lines = colours("lines");

		byId("order-legend").replaceChildren(...[...LAYERS].reverse().map((layer) => make("span", {},
			make("i", { class: "swatch", style: `background:${layerColour(layer)}` }),
			layerName(layer))));
		byId("policy-legend").replaceChildren(...this.data.policies.map(({ policy }, at) => {
			const box = make("span", {});
			box.innerHTML = `<svg class="stroke" aria-hidden="true"><line x1="0" y1="5" x2="30" y2="5" `
				+ `stroke="${lines[at % lines.length]}" stroke-width="2" `
				+ `stroke-dasharray="${DASHES[at % DASHES.length].join(" ")}"/></svg>`;
			box.append(policy);
			return box;
		}));
	}

	setAxis(axis) {
		this.axis = axis;
		this.draw();
	}

	/* Mark the moment that the map shows. */
	mark(timeNs, event) {
		this.moment = { time: timeNs / 1e9, event };
		this.charts.forEach((chart) => chart.placeMoment());
	}
}
