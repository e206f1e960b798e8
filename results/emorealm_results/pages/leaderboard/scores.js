// The tables: filters, sorting, ranks, bars, and what stands behind a cell.
const MINI = data.lines.some((line) => line.mini);
const state = {
  layout: data.opens_on, world: MINI && !data.lines.some((line) => line.source === "measured" && !line.mini) ? "mini" : "public",
  reading: data.reading, part: "full", modality: "all", source: "all", words: "", sort: "", order: "", hidden: "",
};

const layoutOf = (name) => data.layouts.find((layout) => layout.name === name) || data.layouts[0];
const keyOf = (column) => `${column.task}/${column.metric}`;

function cellOf(line, column, reading) {
  const cells = line.cells[keyOf(column)];
  return cells ? cells[line.source === "published" ? "official" : reading] || null : null;
}

// The ranking column stands first, so that it is in sight on every screen; the others follow as in the paper.
function columnsOf(layout) {
  const ranking = layout.columns[layout.rank_by];
  return [ranking, ...layout.columns.filter((column) => column !== ranking)];
}

const hiddenColumns = () => new Set(state.hidden.split(" ").filter(Boolean));
const shownColumns = (layout) => columnsOf(layout).filter((column) => !hiddenColumns().has(keyOf(column)));

function shownLines(layout) {
  const words = state.words.toLowerCase();
  return data.lines.filter((line) =>
    line.mini === (state.world === "mini") &&
    (state.part === "all" || line.part === state.part) &&
    (state.modality === "all" || line.modality === state.modality) &&
    (state.source === "all" || line.source === state.source) &&
    (!words || line.model.toLowerCase().includes(words)) &&
    layout.columns.some((column) => cellOf(line, column, state.reading)?.value !== undefined));
}

const originOf = (line) => (line.source === "published" ? "paper" : line.run === null ? "survey" : data.runs[line.run].origin);
const marksOf = (line) => (line.run === null ? [] : data.runs[line.run].marks);
const rankOf = (line, column) => (column ? line.ranks[state.reading]?.[keyOf(column)] ?? "" : "");
const inputOf = (line) => [line.modality, line.features ? `features: ${line.features}` : ""].filter(Boolean).join(", ");
const tagOf = (line) => [originOf(line), line.part === "full" ? "" : line.part].filter(Boolean).join(", ");

function valueOf(line, column) {
  const value = cellOf(line, column, state.reading)?.value;
  return value === undefined || value === null ? null : value;
}

// The column that sorts (null: the models' names), and whether the largest comes first.
function sorting(layout) {
  const column = state.sort === "model" ? null : layout.columns.find((one) => keyOf(one) === state.sort) || layout.columns[layout.rank_by];
  return { column, descending: state.order ? state.order === "descending" : column !== null && !column.lower };
}

function compare(a, b, { column, descending }) {
  if (!column) return a.model.localeCompare(b.model) * (descending ? -1 : 1);
  const [p, q] = [a, b].map((line) => rankOf(line, column) === "");
  if (p !== q) return p - q; // as in Markdown: what has no rank comes after what has one
  const [x, y] = [valueOf(a, column), valueOf(b, column)];
  if (x === null || y === null) return (x === null) - (y === null);
  return descending ? y - x : x - y;
}

function sortedLines(layout) {
  const order = sorting(layout);
  return shownLines(layout).sort((a, b) => compare(a, b, order));
}

function showScores() {
  const layout = layoutOf(state.layout);
  const { column, descending } = sorting(layout);
  const lines = sortedLines(layout), columns = shownColumns(layout);
  const sorted = (one) => (one === column ? (descending ? "descending" : "ascending") : "none");
  const head = [el("th", { scope: "col" }, "rank"), heading("model", null, sorted(null), "name"),
    ...columns.map((one) => heading(one.label, one, sorted(one), "")), el("th", { class: "name", scope: "col" }, "input"), el("th", { class: "name", scope: "col" }, "size")];
  const body = lines.map((line) => el("tr", { class: line.source }, el("td", {}, rankOf(line, column)), nameCell(line),
    ...columns.map((one) => scoreCell(line, one)), el("td", { class: "name" }, inputOf(line) || DASH), el("td", { class: "name" }, line.parameters || DASH)));
  fill(byId("score-table"), head, body);
  byId("score-table").parentElement.hidden = !lines.length;
  byId("score-count").textContent = lines.length ?
    `${counted(lines.length, "row")}, ${column ? `ranked by ${column.label}` : "sorted by name"}, ${state.reading.replace("_", ", ")} reading` :
    "No row has all that is chosen above: clear the search, or choose other filters.";
  byId("score-reading").textContent = data.about_reading[state.reading];
  byId("score-legend").textContent = data.legend;
  for (const name of ["layout", "world", "source", "modality", "reading", "part"]) setControl(name, state[name]);
  setControl("model-words", state.words);
  showColumnBoxes(layout);
}

function heading(label, column, sort, kind) {
  const turn = () => {
    const before = sorting(layoutOf(state.layout));
    const fresh = column !== null && !column.lower;
    state.sort = column ? keyOf(column) : "model";
    state.order = (before.column === column ? !before.descending : fresh) ? "descending" : "ascending";
    showScores();
    remember();
    [...byId("score-table").querySelectorAll("thead button")].find((button) => button.textContent === label)?.focus();
  };
  return el("th", { "aria-sort": sort, class: kind, scope: "col" }, el("button", { type: "button", onclick: turn }, label));
}

function nameCell(line) {
  const cell = el("th", { class: "name", scope: "row" }, el("span", {}, line.model));
  cell.append(el("span", { class: "tag" }, tagOf(line)));
  for (const mark of marksOf(line)) cell.append(el("span", { class: "mark", title: "not ranked" }, mark));
  return cell;
}

const shownValue = (line, value, column) => fixed(value, line.source === "published" && Math.round(value * 10) / 10 !== value ? 2 : column.digits);

function scoreCell(line, column) {
  const cell = cellOf(line, column, state.reading);
  if (!cell || cell.value === null) return el("td", {}, DASH);
  const kind = rankOf(line, column) === 1 ? "score best" : "score";
  const button = el("button", { type: "button", class: kind, "aria-label": `${line.model}, ${column.label}: ${fixed(cell.value, column.digits)}` }, shownValue(line, cell.value, column));
  button.addEventListener("click", () => showDetail(line, column, cell, button));
  return el("td", {}, button, bar(cell, column));
}

function bar(cell, column) {
  const [least, most] = data.scales[column.scale];
  const at = (value) => (60 * (Math.min(Math.max(value, least), most) - least)) / (most - least);
  const picture = svg("svg", { class: "bar", viewBox: "-3 0 66 12", "aria-hidden": "true" });
  picture.append(svg("rect", { class: "track", x: 0, y: 4, width: 60, height: 2 }));
  if (cell.low !== undefined && cell.low !== null) {
    picture.append(svg("rect", { class: "span", x: at(cell.low), y: 1, width: Math.max(at(cell.high) - at(cell.low), 1), height: 8 }));
  }
  picture.append(svg("rect", { class: "point", x: at(cell.value) - 1, y: 1, width: 2, height: 8 }));
  if (cell.floor !== undefined && cell.floor !== null) {
    const x = at(cell.floor);
    picture.append(svg("polygon", { class: "floor", points: `${x},6 ${x - 3},11.5 ${x + 3},11.5` }));
  }
  return picture;
}

function closeDetail(opener) {
  byId("cell-detail").hidden = true;
  if (opener && opener.isConnected) opener.focus();
}

function showDetail(line, column, cell, opener) {
  const run = line.run === null ? null : data.runs[line.run];
  const digits = column.digits + 1;
  const interval = cell.low === undefined || cell.low === null ? "" : `${fixed(cell.low, digits)} to ${fixed(cell.high, digits)}`;
  byId("cell-detail").replaceChildren(
    el("button", { class: "close", type: "button", onclick: () => closeDetail(opener), "aria-label": "close" }, "×"),
    el("strong", {}, `${line.model}: ${column.label}`),
    definitions([
      ["value", fixed(cell.value, digits)], ["95% interval", interval], ["without the clip", fixed(cell.floor, 1) === DASH ? "" : fixed(cell.floor, 1)],
      ["questions", cell.n], ["clips", cell.n_clips], ["unparsed", cell.unparsed], ["errors", cell.errors], ["missing", cell.missing],
      ["source", line.source === "published" ? `paper, Table ${cell.table}` : `${originOf(line)}, ${line.part}, ${state.reading} reading`], ["note", cell.note], ["parameters", run ? "" : line.parameters],
      ...(run ? runFacts(run).slice(1) : []),
    ]));
  byId("cell-detail").hidden = false;
  byId("cell-detail").onkeydown = (event) => { if (event.key === "Escape") closeDetail(opener); };
  byId("cell-detail").focus();
}

function runFacts(run) {
  const listed = (pairs) => Object.entries(pairs).map(([name, value]) => `${name} ${value}`).join(", ");
  return [["source", run.origin], ["marks", run.marks.join(", ")], ["notes", run.notes.join("; ")], ["model", run.model], ["weights", run.weights], ["parameters", run.parameters], ["features", run.features], ["arguments", run.model_args], ["seeds", listed(run.seeds)],
    ["versions", listed(run.versions)], ["dates", run.dates.join(", ")], ["folder", run.folder]];
}

function scoreControls() {
  const parent = byId("score-controls");
  const set = (name) => (value) => {
    state[name] = value;
    if (name === "layout") state.sort = state.order = state.hidden = "";
    showScores();
    remember(name !== "words");
  };
  const values = (name) => [...new Set(data.lines.map((line) => line[name]))].filter(Boolean).sort();
  select(parent, "layout", "table", data.layouts.map((layout) => [layout.name, layout.title]), state.layout, set("layout"));
  if (MINI) select(parent, "world", "benchmark", [["public", "public"], ["mini", "embedded (mini)"]], state.world, set("world"));
  searchBox(parent, "model-words", "model", set("words"));
  const more = filters(parent, "score-filters");
  select(more, "source", "source", [["all", "all"], ["measured", "measured"], ["published", "published"]], state.source, set("source"));
  select(more, "modality", "input", [["all", "all"], ...values("modality").map((value) => [value, value])], state.modality, set("modality"));
  select(more, "reading", "reading", data.readings.map((value) => [value, value.replace("_", ", ")]), state.reading, set("reading"));
  select(more, "part", "asked", [["full", "in full"], ...values("part").filter((value) => value !== "full").map((value) => [value, value]), ["all", "all"]], state.part, set("part"));
}
register("scores", state, Object.keys(state), showScores);
