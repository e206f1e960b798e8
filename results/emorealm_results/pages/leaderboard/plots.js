// Yes-against-no plots and the heat map of recall, for the benchmark that is chosen here.
const plotted = { world: "public" };
const YES_NO = ["modality_agreement", "reasoning_stress_audio", "reasoning_stress_video"];

function plotLines() {
  return data.lines.filter((line) => line.mini === (plotted.world === "mini") && (line.part === "full" || line.part === "blind"));
}

function measuredNames() {
  return [...new Set(plotLines().filter((line) => line.source === "measured" && line.part === "full" && YES_NO.some((task) => cellOf(line, { task, metric: "recall" }, state.reading))).map((line) => line.model))];
}

function tradeoff(task) {
  const numbers = measuredNames(), labelled = [];
  const size = 300, left = 34, top = 22;
  const x = (value) => left + (value / 100) * size;
  const y = (value) => top + size - (value / 100) * size;
  const picture = svg("svg", { viewBox: `0 0 ${left + size + 50} ${top + size + 34}`, role: "img", "aria-label": `yes against no, ${task}` });
  picture.append(svg("text", { x: left, y: 12, "font-weight": "bold" }, data.names[task] || task));
  for (const level of [20, 40, 60, 80]) {
    const points = [];
    for (let yes = level / 2 + 0.5; yes <= 100; yes += 0.5) {
      const no = (level * yes) / (2 * yes - level);
      if (no <= 100) points.push(`${x(yes)},${y(no)}`);
    }
    picture.append(svg("polyline", { class: "axis", points: points.join(" ") }), svg("text", { x: x(100) + 3, y: y((level * 100) / (200 - level)) + 3 }, `F1 ${level}`));
  }
  picture.append(svg("line", { class: "guess", x1: x(0), y1: y(100), x2: x(100), y2: y(0) }));
  picture.append(svg("rect", { class: "axis", x: left, y: top, width: size, height: size }));
  for (const value of [0, 50, 100]) {
    picture.append(svg("text", { x: x(value) - 6, y: top + size + 14 }, String(value)), svg("text", { x: 6, y: y(value) + 4 }, String(value)));
  }
  picture.append(svg("text", { x: left + size / 2 - 70, y: top + size + 28 }, "right where the answer is yes, %"));
  for (const line of plotLines()) {
    const [yes, no] = ["precision", "recall"].map((metric) => cellOf(line, { task, metric }, state.reading)?.value);
    if (yes === undefined || no === undefined || yes === null || no === null) continue;
    const kind = line.part === "blind" ? "blind" : line.source;
    const point = svg("circle", { class: kind, cx: x(yes), cy: y(no), r: line.source === "measured" ? 5 : 3.2 });
    point.append(svg("title", {}, `${line.model}${line.part === "blind" ? " (blind)" : ""}: ${fixed(yes)} / ${fixed(no)}`));
    picture.append(point);
    if (kind === "measured") labelled.push([yes, no, numbers.indexOf(line.model) + 1]);
  }
  for (const [yes, no, label] of together(labelled)) {
    picture.append(svg("text", { x: x(yes) - 8, y: y(no) + 4, "text-anchor": "end" }, label));
  }
  return picture;
}

function together(points) {
  // points that lie on each other get one label, left of the leftmost of them
  const groups = [];
  for (const [yes, no, number] of [...points].sort((a, b) => a[0] - b[0])) {
    const near = groups.find((group) => yes - group[0] < 4 && Math.abs(no - group[1]) < 3);
    if (near) near[2].push(number);
    else groups.push([yes, no, [number]]);
  }
  return groups.map(([yes, no, found]) => [yes, no, found.sort((a, b) => a - b).join(", ")]);
}

function heat() {
  const columns = layoutOf("table15").columns;
  const recalls = columns.filter((column) => column.metric.startsWith("recall_"));
  const lines = plotLines().filter((line) => line.part === "full" && recalls.some((column) => valueOf(line, column) !== null));
  const rows = lines.map((line) => el("tr", { class: line.source }, nameCell(line), ...columns.map((column) => {
    const value = valueOf(line, column);
    const cell = el("td", {}, fixed(value));
    if (value !== null) {
      cell.style.background = `color-mix(in srgb, var(--measured) ${Math.round(value * 0.8)}%, transparent)`;
      cell.style.color = value > 65 ? "var(--paper)" : "var(--ink)";
    }
    return cell;
  })));
  fill(byId("recall"), [el("th", { class: "name" }, "model"), ...columns.map((column) => el("th", {}, column.label))], rows);
}

function showPlots() {
  byId("tradeoff").replaceChildren(...YES_NO.map(tradeoff));
  byId("tradeoff-names").textContent = measuredNames().map((name, place) => `${place + 1} ${name}`).join(" · ");
  heat();
}

function plotControls() {
  const worlds = [["public", "public"], ["mini", "embedded (mini)"]].filter(([world]) => data.lines.some((line) => line.mini === (world === "mini")));
  plotted.world = state.world;
  select(byId("plot-controls"), "plot-world", "benchmark", worlds, plotted.world, (value) => { plotted.world = value; showPlots(); });
}

function showPublished() {
  const head = ["run", "task", "score", "measured", "published", "table", "difference [95%]", "verdict", "questions", "unparsed", "errors", "missing", "note"];
  const rows = data.comparisons.map((one) => {
    const interval = one.low === null ? "" : ` [${signed(one.low)}, ${signed(one.high)}]`;
    const name = el("td", { class: "name" }, one.model, el("span", { class: "tag" }, `as ${one.published_model}`));
    for (const mark of one.marks) name.append(el("span", { class: "mark" }, mark));
    return el("tr", {}, name, el("td", { class: "name" }, data.names[one.task] || one.task), el("td", { class: "name" }, one.metric), el("td", {}, fixed(one.measured)),
      el("td", {}, String(one.published)), el("td", {}, one.table), el("td", {}, signed(one.difference) + interval), el("td", { class: one.verdict.split(" ")[0] }, one.verdict),
      ...[one.n, one.unparsed, one.errors, one.missing].map((count) => el("td", {}, count ?? "")), el("td", { class: "name" }, one.note));
  });
  const none = el("tr", {}, el("td", { class: "name", colspan: head.length }, "No run here is one of the paper's models on the paper's benchmarks."));
  fill(byId("published"), head.map((name) => el("th", { class: ["run", "task", "score", "note"].includes(name) ? "name" : "" }, name)), rows.length ? rows : [none]);
}

function showRuns() {
  byId("runs").replaceChildren(...data.runs.map((run) => el("div", {}, el("h2", {}, run.name, ...run.marks.map((mark) => el("span", { class: "mark" }, mark))),
    definitions([...runFacts(run), ["in the paper", run.published]]))));
  if (!data.runs.length) byId("runs").textContent = "No measured runs, only the paper's numbers.";
}
