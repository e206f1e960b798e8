"use strict";
// The answers of one participant: kept in the browser by study, page and participant, and saved as CSV.
const data = JSON.parse(document.getElementById("data").textContent);
const SHELF = `emorealm/${data.study}/${data.version}`;
const state = { who: "", answers: new Map(), place: 0 };

function tell(text) {
  document.getElementById("trouble").textContent = text;
}

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    tell("This browser does not keep your answers: save them before you close or reload the page.");
  }
}

function keep() {
  store(SHELF, state.who);
  store(`${SHELF}/${state.who}`, JSON.stringify({ answers: [...state.answers], place: state.place }));
}

function recall(who) {
  Object.assign(state, { who, answers: new Map(), place: 0 });
  try {
    const found = JSON.parse(stored(`${SHELF}/${who}`));
    state.answers = new Map(found.answers);
    state.place = Math.min(Math.max(0, Number(found.place) || 0), data.items.length);
  } catch { /* nothing was kept, or something else: the participant begins anew */ }
  keep();
}

function forget() {
  store(`${SHELF}/${state.who}`, null);
  store(SHELF, null);
}

function place(item, question) {
  return `${item.item}/${question.name}`;
}

function isOpen(item, question) {
  return question.choices !== "text" && !state.answers.has(place(item, question));
}

function openQuestions(item) {
  return data.questions.filter((question) => isOpen(item, question));
}

function quoted(value) {
  return `"${String(value).replaceAll('"', '""')}"`;
}

function save() {
  const rows = [["study", "participant", "version", "item", "question", "choice"]];
  for (const item of data.items) {
    for (const question of data.questions) {
      const choice = state.answers.get(place(item, question));
      if (choice) rows.push([data.study, state.who, data.version, item.item, question.name, choice]);
    }
  }
  const link = document.createElement("a");
  const text = rows.map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = fileName();
  link.click();
}

function fileName() {
  return `answers_${data.study}_${data.version}_${state.who.replace(/[^\w-]/g, "_")}.csv`;
}
