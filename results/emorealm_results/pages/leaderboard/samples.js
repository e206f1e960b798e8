// The sample browser.
const PAGE = 100;
const browse = { task: "all", subtask: "all", a: "", b: "", show: "all", reading: data.reading, words: "", sample: "", shown: PAGE };

const idOf = (sample) => `${sample.benchmark}/${sample.id}`;
const isRight = (sample, run) => Boolean(sample.answers[run]?.right.includes(browse.reading));
const FILTERS = {
  all: ["all questions", () => true],
  only_a: ["A right, B wrong", (sample) => isRight(sample, browse.a) && sample.answers[browse.b] && !isRight(sample, browse.b)],
  only_b: ["A wrong, B right", (sample) => sample.answers[browse.a] && !isRight(sample, browse.a) && isRight(sample, browse.b)],
  right: ["A right", (sample) => isRight(sample, browse.a)],
  wrong: ["A wrong", (sample) => sample.answers[browse.a] && !isRight(sample, browse.a)],
  unparsed: ["A without a clear answer", (sample) => sample.answers[browse.a] && !sample.answers[browse.a].strict],
  changed: ["different answers", (sample) => sample.answers[browse.b] && sample.answers[browse.a] && sample.answers[browse.a].strict !== sample.answers[browse.b].strict],
};

function found() {
  const words = browse.words.toLowerCase();
  return data.samples.filter((sample) =>
    (browse.task === "all" || sample.task === browse.task) &&
    (browse.subtask === "all" || sample.subtask === browse.subtask) &&
    (FILTERS[browse.show] || FILTERS.all)[1](sample) &&
    (!words || [sample.id, sample.clip, sample.question, ...sample.choices, ...Object.values(sample.answers).map((answer) => answer.raw)].some((text) => text.toLowerCase().includes(words))));
}

function showSamples() {
  const samples = found();
  const place = Math.max(samples.findIndex((sample) => idOf(sample) === browse.sample), 0);
  browse.shown = Math.max(browse.shown, PAGE * Math.ceil((place + 1) / PAGE));
  byId("sample-count").textContent = `${samples.length} of ${counted(data.samples.length, "question")}`;
  const controls = { "sample-task": "task", "sample-subtask": "subtask", "run-a": "a", "run-b": "b", "sample-show": "show", "sample-reading": "reading", "sample-words": "words" };
  for (const [id, name] of Object.entries(controls)) setControl(id, browse[name]);
  showPaired();
  byId("sample-list").replaceChildren(...samples.slice(0, browse.shown).map((sample, index) => el("li", {}, sampleButton(sample, index === place))));
  byId("sample-more").hidden = samples.length <= browse.shown;
  if (samples.length) showSample(samples[place]);
  else byId("sample-detail").replaceChildren(el("p", { class: "legend" }, data.samples.length ? "No question has all that is chosen above." : "No run with saved samples (--log_samples) is on this page."));
}

function sampleButton(sample, chosen) {
  const dots = el("span", { class: "dots" });
  for (const run of Object.keys(sample.answers)) {
    const right = isRight(sample, run);
    dots.append(el("span", { class: right ? "right" : "wrong", title: `${data.runs[run].name}: ${right ? "right" : "wrong"}` }, right ? "✓" : "✗"));
  }
  const where = [data.names[sample.task] || sample.task, data.names[sample.subtask] || sample.subtask, sample.clip].filter(Boolean).join(" · ");
  const button = el("button", { type: "button", "aria-current": chosen ? "true" : null }, dots, sample.question || sample.id, el("span", { class: "where" }, where));
  button.sample = sample;
  button.addEventListener("click", () => choose(button, true));
  return button;
}

function choose(button, going) {
  for (const other of byId("sample-list").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  browse.sample = idOf(button.sample);
  showSample(button.sample);
  remember(going);
  if (going && getComputedStyle(byId("sample-back")).display !== "none") byId("sample-detail").scrollIntoView(); // one column: the sample lies below the list
}

// The arrows, Home and End go through the list and show the sample.
function turnList(event) {
  const buttons = [...byId("sample-list").querySelectorAll("button")], place = buttons.indexOf(document.activeElement), last = buttons.length - 1;
  const to = { ArrowDown: Math.min(place + 1, last), ArrowUp: Math.max(place - 1, 0), Home: 0, End: last }[event.key];
  if (to === undefined || place < 0) return;
  event.preventDefault();
  choose(buttons[to], false);
  buttons[to].focus();
}

function backToList() {
  byId("sample-list").scrollIntoView();
  byId("sample-list").querySelector("[aria-current]")?.focus({ preventScroll: true });
}

function showSample(sample) {
  const choices = el("ol", { class: "choices" });
  for (const choice of sample.choices) {
    const gold = choice.startsWith(`(${sample.gold})`);
    choices.append(el("li", { class: gold ? "gold" : "" }, choice, ...(gold ? [el("span", { class: "tag" }, "right answer")] : [])));
  }
  const parts = [el("button", { id: "sample-back", class: "action", type: "button", onclick: backToList }, "↑ list"), el("h2", {}, sample.question || sample.id), ...clipParts(sample), choices,
    definitions([["gold", sample.gold], ["task", data.names[sample.task] || sample.task], ["kind", data.names[sample.subtask] || sample.subtask], ["question id", sample.id], ["clip", sample.clip]])];
  for (const [run, answer] of Object.entries(sample.answers)) {
    const right = isRight(sample, run);
    const readings = data.readings.filter((reading) => reading !== browse.reading).map((reading) => `${reading.replace("_", ", ")}: ${answer.right.includes(reading) ? "right" : "wrong"}`);
    parts.push(el("h3", {}, data.runs[run].name, el("span", { class: "tag" }, el("span", { class: right ? "right" : "wrong" }, right ? "✓ right" : "✗ wrong"),
      `, read as ${answer.strict || "no answer"}; ${readings.join("; ")}; given: ${answer.media}`)));
    parts.push(el("pre", {}, answer.error || answer.raw));
  }
  byId("sample-detail").replaceChildren(...parts, ...swapParts(sample));
}

function sampleControls() {
  const parent = byId("sample-controls");
  const set = (name) => (value) => { browse[name] = value; browse.shown = PAGE; showSamples(); remember(name !== "words"); };
  const values = (name) => [...new Set(data.samples.map((sample) => sample[name]))].filter(Boolean);
  const named = (list) => list.map((value) => [value, data.names[value] || value]);
  const answered = new Set(data.samples.flatMap((sample) => Object.keys(sample.answers)));
  const runs = data.runs.map((run, index) => [String(index), run.name]).filter(([index]) => answered.has(index));
  [browse.a, browse.b] = [0, 1].map((place) => (runs[place] ? runs[place][0] : ""));
  select(parent, "sample-task", "task", [["all", "all"], ...named(values("task"))], "all", set("task"));
  select(parent, "sample-subtask", "kind", [["all", "all"], ...named(values("subtask"))], "all", set("subtask"));
  select(parent, "sample-show", "show", Object.entries(FILTERS).map(([name, [label]]) => [name, label]), "all", set("show"));
  const more = filters(parent, "sample-filters");
  select(more, "run-a", "A", runs, browse.a, set("a"));
  select(more, "run-b", "B", [["", "none"], ...runs], browse.b, set("b"));
  select(more, "sample-reading", "reading", data.readings.map((value) => [value, value.replace("_", ", ")]), browse.reading, set("reading"));
  searchBox(more, "sample-words", "words", set("words"));
  byId("sample-list").addEventListener("keydown", turnList);
  byId("sample-detail").addEventListener("keydown", (event) => { if (event.key === "Escape") backToList(); });
  byId("sample-more").addEventListener("click", () => { browse.shown += PAGE; showSamples(); });
  register("samples", browse, ["task", "subtask", "a", "b", "show", "reading", "words", "sample"], showSamples);
}
