"use strict";
// Shows one clip with its options and questions at a time; texts of models are text, never markup.
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const by = (id) => document.getElementById(id);
const total = data.items.length * data.questions.filter((question) => question.choices !== "text").length;
const sharing = data.questions.filter((question) => question.choices === "options").length > 1;
let active = null; // the fieldset that a letter or digit answers

function add(parent, tag, text, attributes = {}) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return parent.appendChild(node);
}

function show() {
  const finished = state.place >= data.items.length;
  by("item").hidden = finished;
  by("finish").hidden = !finished;
  by("save").classList.toggle("quiet", !finished);
  picture.pause();
  if (finished) showFinish();
  else showItem(data.items[state.place]);
  by(finished ? "finish" : "item").focus();
  window.scrollTo(0, 0);
  progress();
}

function showItem(item) {
  by("again").before(by("save"));
  const name = `Clip ${state.place + 1} of ${data.items.length}`;
  by("item-title").textContent = name;
  showClip(data.clips[item.clip], name);
  by("subtitle").hidden = !item.subtitle;
  by("subtitle").querySelector("p").textContent = item.subtitle;
  by("options").replaceChildren();
  by("options").hidden = !sharing; // options of one question stand in that question
  for (const [letter, text] of sharing ? Object.entries(item.options) : []) {
    add(by("options"), "dt", letter);
    add(by("options"), "dd", text);
  }
  by("questions").replaceChildren();
  for (const question of data.questions) showQuestion(item, question);
  by("back").disabled = state.place === 0;
  mark(firstOpen() || by("questions").firstChild);
}

function showQuestion(item, question) {
  const field = add(by("questions"), "fieldset", undefined, { tabindex: "-1" });
  const ofOptions = question.choices === "options";
  add(field, "legend", (ofOptions && item.question) || question.wording);
  field.addEventListener("focusin", () => mark(field));
  const at = place(item, question);
  field.dataset.at = at;
  if (question.choices === "text") {
    const input = add(field, "input", undefined, { "aria-label": question.wording, maxlength: "500" });
    input.value = state.answers.get(at) || "";
    input.addEventListener("input", () => answer(at, input.value.replace(/\s+/g, " ").trim()));
    return;
  }
  const choices = add(field, "div", undefined, { class: ofOptions && sharing ? "choices" : "choices long" });
  const listed = Object.entries(ofOptions ? item.options : question.choices);
  for (const [value, text] of listed) {
    const label = add(choices, "label");
    const radio = add(label, "input", undefined, { type: "radio", name: at, value });
    radio.checked = state.answers.get(at) === value;
    add(label, "span", ofOptions ? (sharing ? value : `${value}. ${text}`) : text);
    radio.addEventListener("change", () => answer(at, value));
  }
}

function answer(at, value) {
  if (value) state.answers.set(at, value);
  else state.answers.delete(at);
  keep();
  progress();
}

function showFinish() {
  const open = total - answered();
  by("finish-title").textContent = open ? `${open} ${open === 1 ? "question is" : "questions are"} open` : "Finished, thank you";
  by("finish-text").textContent = `Press "Save the answers (CSV)": the browser saves the file ${fileName()}, as a rule in the folder Downloads. ${data.finish}`;
  by("open").hidden = !open;
  by("finish-text").after(by("save")); // where the text speaks of it
}

function answered() {
  return total - data.items.reduce((sum, item) => sum + openQuestions(item).length, 0);
}

function progress() {
  const count = answered();
  by("progress").textContent = `${count} of ${total} questions answered`;
  by("done").max = total;
  by("done").value = count;
}

function mark(field) {
  active = field;
  for (const other of by("questions").children) other.classList.toggle("active", other === field);
}

function firstOpen() {
  const item = data.items[state.place];
  return [...by("questions").children].find((field, index) => isOpen(item, data.questions[index]));
}

function go(step) {
  const to = state.place + step;
  if (to < 0 || to > data.items.length) return;
  state.place = to;
  keep();
  show();
}

function goOn() {
  const open = firstOpen();
  if (open) open.focus();
  else go(1);
}

function choose(key) {
  const radios = active ? [...active.querySelectorAll("input[type=radio]")] : [];
  const byValue = radios.find((radio) => radio.value.toLowerCase() === key);
  const radio = byValue || radios[/[1-9]/.test(key) ? Number(key) - 1 : LETTERS.indexOf(key)];
  if (!radio || !/^[a-z1-9]$/.test(key)) return;
  radio.click();
  (firstOpen() || active).focus();
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || by("study").hidden) return;
  const { target, key } = event;
  const typing = target.matches("input:not([type=radio]):not([type=range])");
  const radio = target.matches("input[type=radio]");
  const pressing = target.closest("button, summary");
  if (key === "Enter" && !pressing && !by("item").hidden) goOn();
  else if (typing) return;
  else if (key === " " && !pressing && !(radio && !target.checked) && !by("item").hidden) togglePlay();
  else if (key === "ArrowLeft" && !radio && target !== seek) go(-1);
  else if (key === "ArrowRight" && !radio && target !== seek && !by("item").hidden) go(1);
  else if (/^[a-z1-9]$/i.test(key) && !by("item").hidden) choose(key.toLowerCase());
  else return;
  event.preventDefault();
}

function begin(who) {
  by("participant").value = who;
  recall(who);
  by("begin").hidden = true;
  by("study").hidden = false;
  show();
}

document.title = by("title").textContent = [data.title, data.page].filter(Boolean).join(", ");
by("intro").textContent = data.intro;
by("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  const who = by("participant").value.trim();
  if (who) begin(who);
});
by("back").addEventListener("click", () => go(-1));
by("next").addEventListener("click", () => go(1));
by("review").addEventListener("click", () => go(-1));
by("open").addEventListener("click", () => {
  state.place = data.items.findIndex((item) => openQuestions(item).length > 0);
  keep();
  show();
  firstOpen().focus();
});
by("save").addEventListener("click", save);
by("again").addEventListener("click", () => {
  if (!confirm("Delete all answers that were given here, and start again?")) return;
  forget();
  location.reload();
});
document.addEventListener("keydown", onKey);
const named = new URLSearchParams(location.search);
const who = named.get("PROLIFIC_PID") || named.get("participant") || stored(SHELF) || "";
by("participant").value = who;
if (who && stored(`${SHELF}/${who}`)) begin(who);
