/** What is behind the avatar: chosen here, remembered by the browser. */

const KEPT = "mien-background";
const PLAIN = [
  { value: "keep", label: "Its own", swatch: "own" },
  { value: "blur", label: "Blurred", swatch: "blur" },
  { value: "#00ff00", label: "Green screen", colour: "#00ff00" },
];

/** Events: "change" (detail: "keep", "blur", "#rrggbb" or "image:ID", as the server takes it). */
export class Backgrounds extends EventTarget {
  #api;
  #box;
  #words;
  #colour;
  #begun = false;
  /** @type {{file: File, label: HTMLLabelElement, value: string} | null} */
  #image = null;

  /** @type {string | null} null: what the server began with */
  chosen = null;

  constructor(api, { box, file, words }) {
    super();
    this.#api = api;
    this.#box = box;
    this.#words = words;
    for (const kind of PLAIN) this.#add(kind);
    this.#addColour();
    box.addEventListener("change", ({ target }) => target.type === "radio" && this.#choose(target.value));
    file.addEventListener("change", () => {
      this.#read(file.files[0]);
      file.value = "";
    });
  }

  /** @param {string | null} given what the server shows unless told otherwise; heard once */
  begin(given) {
    if (this.#begun) return;
    this.#begun = true;
    const kept = localStorage.getItem(KEPT);
    if (kept) this.chosen = kept;
    this.#mark(kept ?? given);
  }

  /** One of an earlier time; an image is not kept that long. */
  take(value) {
    if (value && !value.startsWith("image:") && value !== this.chosen) this.#choose(value);
  }

  say(text) {
    this.#words.textContent = text;
  }

  /** Tell a new connection; a server that began anew has no image any more. */
  async sendTo(send) {
    if (!this.chosen) return;
    if (this.#image && this.chosen === this.#image.value) {
      const value = await this.#api.addBackground(this.#image.file).catch(() => this.#image.value);
      this.#image.value = this.#image.label.querySelector("input").value = this.chosen = value;
    }
    send(this.chosen);
  }

  #choose(value) {
    this.chosen = value;
    if (!value.startsWith("image:")) localStorage.setItem(KEPT, value);
    this.#mark(value);
    this.dispatchEvent(new CustomEvent("change", { detail: value }));
  }

  #mark(value) {
    if (!value) return;
    const radios = [...this.#box.querySelectorAll("input[type=radio]")];
    const colour = value.startsWith("#") && !radios.some((radio) => radio.value === value);
    if (colour) this.#setColour(value);
    const radio = radios.find((one) => one.value === value);
    if (radio) radio.checked = true;
  }

  #setColour(value) {
    this.#colour.value = value;
    this.#colour.previousElementSibling.value = value;
  }

  #add({ value, label, swatch = "", colour = "" }) {
    const row = document.createElement("label");
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "background", value, id: `background-${label.split(" ")[0].toLowerCase()}` });
    const mark = document.createElement("span");
    mark.className = `swatch ${swatch}`;
    if (colour) mark.style.setProperty("--swatch", colour);
    row.append(radio, mark, label);
    this.#box.append(row);
    return row;
  }

  #addColour() {
    const row = this.#add({ value: "#20242b", label: "Colour" });
    this.#colour = document.createElement("input");
    Object.assign(this.#colour, { type: "color", value: "#20242b", id: "background-picker" });
    this.#colour.setAttribute("aria-label", "The background's colour");
    row.querySelector(".swatch").replaceWith(this.#colour);
    this.#colour.addEventListener("change", () => {
      this.#setColour(this.#colour.value);
      this.#choose(this.#colour.value);
    });
  }

  async #read(file) {
    if (!file) return;
    if (!file.type.startsWith("image/")) return this.say("That is not an image: give a JPEG, PNG or WebP.");
    this.say("Reading the image…");
    try {
      const copy = new File([await file.arrayBuffer()], file.name, { type: file.type });
      const value = await this.#api.addBackground(copy);
      this.#image?.label.remove();
      const label = this.#add({ value, label: "Image" });
      label.querySelector(".swatch").style.setProperty("--swatch", `url("${URL.createObjectURL(copy)}")`);
      this.#image = { file: copy, label, value };
      this.say("");
      return this.#choose(value);
    } catch (problem) {
      return this.say([problem.title ?? problem.message, problem.detail].filter(Boolean).join(" "));
    }
  }
}
