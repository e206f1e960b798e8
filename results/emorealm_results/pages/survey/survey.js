"use strict";
// Builds the survey from the data element; captions are text, never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const answers = new Map();
const total = data.items.length * Object.keys(data.questions).length;

function add(parent, tag, text, attributes = {}) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return parent.appendChild(node);
}

function showItem(item, number) {
  const section = add(document.getElementById("items"), "section");
  add(section, "h2", `Clip ${number} of ${data.items.length}`);
  add(section, "video", undefined, { controls: "", preload: "metadata", src: data.clips[item.clip] });
  const captions = add(section, "dl");
  for (const [letter, text] of Object.entries(item.captions)) {
    add(captions, "dt", letter);
    add(captions, "dd", text);
  }
  for (const [question, wording] of Object.entries(data.questions)) {
    const field = add(section, "fieldset");
    add(field, "legend", wording);
    for (const letter of Object.keys(item.captions)) {
      const label = add(field, "label");
      const radio = add(label, "input", undefined, { type: "radio", name: `${item.item}/${question}`, value: letter });
      label.append(` ${letter}`);
      radio.addEventListener("change", () => {
        answers.set(`${item.item}/${question}`, [item.item, question, letter]);
        progress();
      });
    }
  }
}

function progress() {
  document.getElementById("progress").textContent = `${answers.size} of ${total} questions answered`;
  document.getElementById("save").disabled = answers.size < total || !participant.value.trim();
}

function quoted(value) {
  return `"${String(value).replaceAll('"', '""')}"`;
}

function save() {
  const who = participant.value.trim();
  const rows = [["participant", "version", "item", "question", "choice"]];
  for (const [item, question, letter] of answers.values()) rows.push([who, data.version, item, question, letter]);
  const link = document.createElement("a");
  const text = rows.map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `answers_${data.version}_${who.replace(/[^\w-]/g, "_")}.csv`;
  link.click();
}

const participant = document.getElementById("participant");
const asked = new URLSearchParams(location.search);
participant.value = asked.get("PROLIFIC_PID") || asked.get("participant") || "";
document.title = data.title;
document.getElementById("title").textContent = data.title;
data.items.forEach((item, index) => showItem(item, index + 1));
participant.addEventListener("input", progress);
document.getElementById("save").addEventListener("click", save);
progress();
