// Yes-against-no plots and the heat map of recall, for the benchmark that is chosen here. Points, labels and curves
// are those of data.plots; here they are only drawn.
const plotted = { world: state.world, reading: state.reading };
const SIZE = 300, LEFT = 48, TOP = 22;
const across = (value) => LEFT + (value / 100) * SIZE;
const upward = (value) => TOP + SIZE - (value / 100) * SIZE;
const MARKS = { measured: "run", published: "paper's model", blind: "run asked blind (text alone)" };

// A circle, a diamond or a triangle: the kind is told by the shape.
function marker(kind, x, y) {
  if (kind === "measured") return svg("circle", { class: kind, cx: x, cy: y, r: 5 });
  const corners = kind === "published" ? [[0, -5], [5, 0], [0, 5], [-5, 0]] : [[0, -6], [5.5, 4.5], [-5.5, 4.5]];
  return svg("polygon", { class: kind, points: corners.map(([dx, dy]) => `${x + dx},${y + dy}`).join(" ") });
}

function axes(picture, task) {
  picture.append(svg("text", { x: LEFT, y: 12, "font-weight": "bold" }, data.names[task] || task));
  for (const [level, curve] of Object.entries(data.curves)) {
    picture.append(svg("polyline", { class: "axis", points: curve.map(([yes, no]) => `${across(yes)},${upward(no)}`).join(" ") }),
      svg("text", { x: across(100) + 9, y: upward(curve[curve.length - 1][1]) + 3 }, `F1 ${level}`));
  }
  picture.append(svg("line", { class: "guess", x1: across(0), y1: upward(100), x2: across(100), y2: upward(0) }));
  picture.append(svg("rect", { class: "axis", x: LEFT, y: TOP, width: SIZE, height: SIZE }));
  for (const value of [0, 50, 100]) {
    picture.append(svg("text", { x: across(value), y: TOP + SIZE + 17, "text-anchor": "middle" }, String(value)), svg("text", { x: LEFT - 9, y: upward(value) + 4, "text-anchor": "end" }, String(value)));
  }
  picture.append(svg("text", { x: across(50), y: TOP + SIZE + 32, "text-anchor": "middle" }, "right where the answer is yes, %"),
    svg("text", { transform: `translate(12 ${upward(50)}) rotate(-90)`, "text-anchor": "middle" }, "right where the answer is no, %"));
}

function tradeoff(panel) {
  const name = data.names[panel.task] || panel.task;
  const picture = svg("svg", { viewBox: `0 0 ${LEFT + SIZE + 50} ${TOP + SIZE + 40}`, role: "group", "aria-label": `Yes against no, ${name}` });
  axes(picture, panel.task);
  for (const label of panel.labels) {
    picture.append(svg("line", { class: "lead", x1: across(label.to[0]), y1: upward(label.to[1]), x2: across(label.x), y2: upward(label.y) }));
  }
  for (const point of panel.points) {
    const kind = kindOf(point);
    const said = `${point.model}, ${MARKS[kind]}, ${name}: yes ${fixed(point.yes)}%, no ${fixed(point.no)}%`;
    const mark = marker(kind, across(point.yes), upward(point.no));
    for (const [key, value] of Object.entries({ tabindex: "0", role: "img", "aria-label": said })) mark.setAttribute(key, value);
    mark.append(svg("title", {}, said));
    for (const event of ["focus", "pointerenter", "click"]) mark.addEventListener(event, () => { byId("point-detail").textContent = said; });
    picture.append(mark);
  }
  for (const label of panel.labels) {
    picture.append(svg("text", { class: "label", x: across(label.x), y: upward(label.y) + 3.5, "text-anchor": "middle" }, label.text));
  }
  if (panel.why) picture.append(svg("text", { class: "why", x: across(50), y: upward(50), "text-anchor": "middle" }, panel.why));
  return picture;
}

function heat() {
  const columns = layoutOf("table15").columns;
  const recalls = columns.filter((column) => column.metric.startsWith("recall_"));
  const value = (line, column) => cellOf(line, column, plotted.reading)?.value ?? null;
  const lines = data.lines.filter((line) => line.mini === (plotted.world === "mini") && line.part === "full" && recalls.some((column) => value(line, column) !== null));
  byId("recall-why").textContent = lines.length ? "" : `No run has answered DFEW${plotted.world === "mini" ? " of the embedded world (emorealm eval --tasks dfew_mini)" : ""}, so there is nothing to show.`;
  byId("recall").parentElement.hidden = !lines.length;
  fill(byId("recall"), [el("th", { class: "name" }, "model"), ...columns.map((column) => el("th", {}, column.label))], lines.map((line) =>
    el("tr", { class: line.source }, nameCell(line), ...columns.map((column) => heatCell(value(line, column))))));
}

function heatCell(value) {
  const cell = el("td", {}, fixed(value));
  if (value !== null) {
    const share = Math.round(value * 0.8);
    cell.style.background = `color-mix(in srgb, var(--measured) ${share}%, transparent)`;
    cell.style.color = readable(share / 100);
  }
  return cell;
}

// Black or white, whichever has more contrast (WCAG) on the page's colour with that share of the runs' colour.
function readable(share) {
  const style = getComputedStyle(document.documentElement);
  const [over, under] = ["--measured", "--paper"].map((name) => style.getPropertyValue(name).trim().match(/[0-9a-f]{2}/gi).map((hex) => parseInt(hex, 16) / 255));
  const linear = under.map((value, place) => share * over[place] + (1 - share) * value).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) ? "#000" : "#fff";
}

const kindOf = (point) => (point.part === "blind" ? "blind" : point.source);

function legend(panels) {
  const present = new Set(panels.flatMap((panel) => panel.points).map(kindOf));
  byId("plot-marks").replaceChildren(...Object.entries(MARKS).filter(([kind]) => present.has(kind)).flatMap(([kind, label]) => {
    const picture = svg("svg", { class: "key", viewBox: "-8 -8 16 16", "aria-hidden": "true" });
    picture.append(marker(kind, 0, 0));
    return [picture, `${label}  `];
  }));
}

// The same points as numbers: where marks lie on one another, the table tells them apart.
function pointTable(panels) {
  const rows = new Map();
  panels.forEach((panel, place) => panel.points.forEach((point) => {
    const key = [point.source, point.model, point.part].join("\n");
    if (!rows.has(key)) rows.set(key, { point, at: panels.map(() => null) });
    rows.get(key).at[place] = point;
  }));
  const head = [el("th", {}, "no."), el("th", { class: "name" }, "model"), el("th", { class: "name" }, "kind"),
    ...panels.flatMap((panel) => ["yes", "no"].map((side) => el("th", {}, `${data.names[panel.task] || panel.task}, ${side} %`)))];
  fill(byId("tradeoff-numbers"), head, [...rows.values()].map(({ point, at }) => el("tr", { class: point.source }, el("td", {}, point.number ?? ""), el("td", { class: "name" }, point.model),
    el("td", { class: "name" }, MARKS[kindOf(point)]), ...at.flatMap((one) => [one?.yes, one?.no].map((value) => el("td", {}, fixed(value)))))));
  byId("point-table").hidden = !rows.size;
}

function showPlots() {
  const panels = data.plots[plotted.world][plotted.reading];
  const numbered = new Map(panels.flatMap((panel) => panel.points).filter((point) => point.number !== null).map((point) => [point.number, point.model]));
  byId("tradeoff").replaceChildren(...panels.map(tradeoff));
  legend(panels);
  pointTable(panels);
  byId("point-detail").textContent = "";
  byId("tradeoff-names").textContent = [...numbered].sort((a, b) => a[0] - b[0]).map(([number, name]) => `${number} ${name}`).join(" · ");
  setControl("plot-world", plotted.world);
  setControl("plot-reading", plotted.reading);
  heat();
}

function plotControls() {
  const worlds = [["public", "public"], ["mini", "embedded (mini)"]].filter(([world]) => data.lines.some((line) => line.mini === (world === "mini")));
  const set = (name) => (value) => { plotted[name] = value; showPlots(); remember(); };
  select(byId("plot-controls"), "plot-world", "benchmark", worlds, plotted.world, set("world"));
  select(byId("plot-controls"), "plot-reading", "reading", data.readings.map((value) => [value, value.replace("_", ", ")]), plotted.reading, set("reading"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", heat);
}
register("plots", plotted, Object.keys(plotted), showPlots);
