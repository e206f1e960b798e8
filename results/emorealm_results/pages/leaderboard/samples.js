// The sample browser, the tabs, and the start of the page.
const PAGE = 100;
const browse = { task: "all", subtask: "all", a: "0", b: "", show: "all", words: "", shown: PAGE };

const isRight = (sample, run) => sample.answers[run]?.strict === sample.gold;
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
    FILTERS[browse.show][1](sample) &&
    (!words || [sample.id, sample.clip, sample.question, ...sample.choices, ...Object.values(sample.answers).map((answer) => answer.raw)].some((text) => text.toLowerCase().includes(words))));
}

function showSamples() {
  const samples = found();
  byId("sample-count").textContent = `${samples.length} of ${data.samples.length} questions`;
  showPaired();
  byId("sample-list").replaceChildren(...samples.slice(0, browse.shown).map((sample) => {
    const dots = el("span", { class: "dots" });
    for (const run of Object.keys(sample.answers)) {
      dots.append(el("span", { class: isRight(sample, run) ? "right" : "wrong", title: data.runs[run].name }, isRight(sample, run) ? "✓" : "✗"));
    }
    const button = el("button", { type: "button" }, dots, sample.question || sample.id, el("span", { class: "where" }, [data.names[sample.task] || sample.task, data.names[sample.subtask] || sample.subtask, sample.clip].filter(Boolean).join(" · ")));
    button.addEventListener("click", () => {
      for (const other of byId("sample-list").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      showSample(sample);
    });
    return el("li", {}, button);
  }));
  byId("sample-more").hidden = samples.length <= browse.shown;
}

function showSample(sample) {
  const clip = data.clips[`${sample.benchmark}/${sample.clip}`];
  const choices = el("ol", { class: "choices" });
  for (const choice of sample.choices) choices.append(el("li", { class: choice.startsWith(`(${sample.gold})`) ? "gold" : "" }, choice));
  const parts = [el("h2", {}, sample.question || sample.id)];
  if (clip) {
    if (clip.frames) parts.push(el("img", { src: clip.frames, alt: `frames at ${clip.times.join(", ")} s` }), el("span", { class: "tag" }, `${clip.times.join(" s, ")} s`));
    if (clip.sound) parts.push(el("img", { src: clip.sound, alt: "waveform and spectrogram, 0 to 6 kHz" }));
    for (const lack of [clip.no_frames, clip.no_sound].filter(Boolean)) parts.push(el("p", { class: "legend" }, lack));
  } else parts.push(el("p", { class: "legend" }, "The clip is not on this page."));
  parts.push(choices, definitions([["gold", sample.gold], ["task", data.names[sample.task] || sample.task], ["kind", data.names[sample.subtask] || sample.subtask], ["question id", sample.id], ["clip", sample.clip]]));
  for (const [run, answer] of Object.entries(sample.answers)) {
    const right = isRight(sample, run);
    parts.push(el("h3", {}, data.runs[run].name, el("span", { class: "tag" }, el("span", { class: right ? "right" : "wrong" }, right ? "right" : "wrong"),
      `, read as ${answer.strict || "no answer"}; official reading: ${answer.official ? "right" : "wrong"}; given: ${answer.media}`)));
    parts.push(el("pre", {}, answer.error || answer.raw));
  }
  byId("sample-detail").replaceChildren(...parts);
}

function sampleControls() {
  const parent = byId("sample-controls");
  const set = (name) => (value) => { browse[name] = value; browse.shown = PAGE; showSamples(); };
  const values = (name) => [...new Set(data.samples.map((sample) => sample[name]))].filter(Boolean);
  const named = (list) => list.map((value) => [value, data.names[value] || value]);
  const answered = new Set(data.samples.flatMap((sample) => Object.keys(sample.answers)));
  const runs = data.runs.map((run, index) => [String(index), run.name]).filter(([index]) => answered.has(index));
  [browse.a, browse.b] = [0, 1].map((place) => (runs[place] ? runs[place][0] : ""));
  select(parent, "sample-task", "task", [["all", "all"], ...named(values("task"))], "all", set("task"));
  select(parent, "sample-subtask", "kind", [["all", "all"], ...named(values("subtask"))], "all", set("subtask"));
  select(parent, "run-a", "A", runs, browse.a, set("a"));
  select(parent, "run-b", "B", [["", "none"], ...runs], browse.b, set("b"));
  select(parent, "sample-show", "show", Object.entries(FILTERS).map(([name, [label]]) => [name, label]), "all", set("show"));
  const search = el("input", { type: "search", id: "sample-words", placeholder: "words" });
  search.addEventListener("input", () => set("words")(search.value));
  parent.append(el("label", {}, "search", search));
  byId("sample-more").addEventListener("click", () => { browse.shown += PAGE; showSamples(); });
}

const VIEWS = { scores: "Scores", plots: "Plots", published: "Against the paper", samples: "Samples", runs: "Runs" };

function show(view) {
  for (const name of Object.keys(VIEWS)) {
    byId(`view-${name}`).hidden = name !== view;
    byId(`tab-${name}`).setAttribute("aria-selected", String(name === view));
  }
}

for (const [name, label] of Object.entries(VIEWS)) {
  byId("views").append(el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `view-${name}`, onclick: () => show(name) }, label));
}
byId("about").textContent = data.about;
scoreControls();
plotControls();
sampleControls();
showScores();
showPlots();
showPublished();
showSamples();
showRuns();
show("scores");
