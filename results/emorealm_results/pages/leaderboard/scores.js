// The tables: filters, sorting, ranks, bars, and what stands behind a cell.
const state = { layout: data.layouts[0].name, world: "public", reading: data.reading, part: "full", modality: "all", source: "all", sort: null, descending: true };

const layoutOf = (name) => data.layouts.find((layout) => layout.name === name);

function cellOf(line, column, reading) {
  const cells = line.cells[`${column.task}/${column.metric}`];
  return cells ? cells[line.source === "published" ? "official" : reading] || null : null;
}

function shownLines(layout) {
  return data.lines.filter((line) =>
    line.mini === (state.world === "mini") &&
    (state.part === "all" || line.part === state.part) &&
    (state.modality === "all" || line.modality === state.modality) &&
    (state.source === "all" || line.source === state.source) &&
    layout.columns.some((column) => cellOf(line, column, state.reading)?.value !== undefined));
}

const originOf = (line) => (line.source === "published" ? "paper" : line.run === null ? "survey" : data.runs[line.run].origin);
const marksOf = (line) => (line.run === null ? [] : data.runs[line.run].marks);
const rankOf = (line, column) => (column ? line.ranks[state.reading]?.[`${column.task}/${column.metric}`] ?? "" : "");

function valueOf(line, column) {
  const value = cellOf(line, column, state.reading)?.value;
  return value === undefined || value === null ? null : value;
}

function compare(a, b, column) {
  const [x, y] = [valueOf(a, column), valueOf(b, column)];
  if (x === null || y === null) return (x === null) - (y === null);
  return state.descending ? y - x : x - y;
}

function showScores() {
  const layout = layoutOf(state.layout);
  const index = state.sort ?? layout.rank_by;
  const column = index >= 0 ? layout.columns[index] : null;
  const lines = shownLines(layout);
  lines.sort((a, b) => (column ? compare(a, b, column) : a.model.localeCompare(b.model) * (state.descending ? -1 : 1)));
  const sorted = (place) => (place === index ? (state.descending ? "descending" : "ascending") : "none");
  const head = [el("th", {}, "rank"), heading("model", -1, sorted(-1), "name"), el("th", { class: "name" }, "input"),
    ...layout.columns.map((one, place) => heading(one.label, place, sorted(place), ""))];
  const body = lines.map((line) => el("tr", { class: line.source }, el("td", {}, rankOf(line, column)), nameCell(line),
    el("td", { class: "name" }, line.modality || DASH), ...layout.columns.map((one) => scoreCell(line, one))));
  fill(byId("scores"), head, body);
  byId("score-legend").textContent = data.legend;
}

function heading(label, place, sort, kind) {
  const turn = () => {
    const same = (state.sort ?? layoutOf(state.layout).rank_by) === place;
    state.descending = same ? !state.descending : place >= 0 && !layoutOf(state.layout).columns[place].lower;
    state.sort = place;
    showScores();
  };
  return el("th", { "aria-sort": sort, class: kind, scope: "col" }, el("button", { type: "button", onclick: turn }, label));
}

function nameCell(line) {
  const cell = el("td", { class: "name" }, line.model);
  cell.append(el("span", { class: "tag" }, [originOf(line), line.part === "full" ? "" : line.part].filter(Boolean).join(", ")));
  for (const mark of marksOf(line)) cell.append(el("span", { class: "mark", title: "not ranked" }, mark));
  return cell;
}

function scoreCell(line, column) {
  const cell = cellOf(line, column, state.reading);
  if (!cell || cell.value === null) return el("td", {}, DASH);
  const kind = rankOf(line, column) === 1 ? "score best" : "score";
  const open = () => showDetail(line, column, cell);
  return el("td", {}, el("button", { type: "button", class: kind, onclick: open, "aria-label": `${line.model}, ${column.label}: ${fixed(cell.value)}` },
    fixed(cell.value, line.source === "published" && Math.round(cell.value * 10) / 10 !== cell.value ? 2 : 1)), bar(cell, column));
}

function bar(cell, column) {
  const [least, most] = data.scales[column.scale];
  const at = (value) => 100 * (Math.min(Math.max(value, least), most) - least) / (most - least);
  const picture = svg("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  picture.append(svg("rect", { class: "track", x: 0, y: 4, width: 100, height: 2 }));
  if (cell.low !== undefined && cell.low !== null) {
    picture.append(svg("rect", { class: "span", x: at(cell.low), y: 1, width: Math.max(at(cell.high) - at(cell.low), 1), height: 8 }));
  }
  if (cell.floor !== undefined && cell.floor !== null) picture.append(svg("rect", { class: "floor", x: at(cell.floor), y: 0, width: 1.6, height: 10 }));
  picture.append(svg("rect", { class: "point", x: at(cell.value) - 1.2, y: 1, width: 2.4, height: 8 }));
  return picture;
}

function showDetail(line, column, cell) {
  const run = line.run === null ? null : data.runs[line.run];
  const interval = cell.low === undefined || cell.low === null ? "" : `${fixed(cell.low, 2)} to ${fixed(cell.high, 2)}`;
  const close = () => { byId("cell-detail").hidden = true; };
  byId("cell-detail").replaceChildren(
    el("button", { class: "close", type: "button", onclick: close, "aria-label": "close" }, "×"),
    el("strong", {}, `${line.model}: ${column.label}`),
    definitions([
      ["value", fixed(cell.value, 2)], ["95% interval", interval], ["without the clip", fixed(cell.floor, 1) === DASH ? "" : fixed(cell.floor, 1)],
      ["questions", cell.n], ["clips", cell.n_clips], ["unparsed", cell.unparsed], ["errors", cell.errors], ["missing", cell.missing],
      ["source", line.source === "published" ? `paper, Table ${cell.table}` : `${originOf(line)}, ${line.part}, ${state.reading} reading`], ["note", cell.note],
      ...(run ? runFacts(run).slice(1) : []),
    ]));
  byId("cell-detail").hidden = false;
}

function runFacts(run) {
  const listed = (pairs) => Object.entries(pairs).map(([name, value]) => `${name} ${value}`).join(", ");
  return [["source", run.origin], ["marks", run.marks.join(", ")], ["notes", run.notes.join("; ")], ["model", run.model], ["arguments", run.model_args], ["seeds", listed(run.seeds)],
    ["versions", listed(run.versions)], ["dates", run.dates.join(", ")], ["folder", run.folder]];
}

function scoreControls() {
  const parent = byId("score-controls");
  const set = (name) => (value) => { state[name] = value; if (name === "layout") { state.sort = null; state.descending = !layoutOf(value).columns[layoutOf(value).rank_by].lower; } showScores(); };
  const values = (name) => [...new Set(data.lines.map((line) => line[name]))].filter(Boolean).sort();
  select(parent, "layout", "table", data.layouts.map((layout) => [layout.name, layout.title]), state.layout, set("layout"));
  if (data.lines.some((line) => line.mini)) {
    if (!data.lines.some((line) => line.source === "measured" && !line.mini)) state.world = "mini";
    select(parent, "world", "benchmark", [["public", "public"], ["mini", "embedded (mini)"]], state.world, set("world"));
  }
  select(parent, "source", "source", [["all", "all"], ["measured", "measured"], ["published", "published"]], state.source, set("source"));
  select(parent, "modality", "input", [["all", "all"], ...values("modality").map((value) => [value, value])], state.modality, set("modality"));
  select(parent, "reading", "reading", data.readings.map((value) => [value, value.replace("_", ", ")]), state.reading, set("reading"));
  select(parent, "part", "asked", [["full", "in full"], ...values("part").filter((value) => value !== "full").map((value) => [value, value]), ["all", "all"]], state.part, set("part"));
}
