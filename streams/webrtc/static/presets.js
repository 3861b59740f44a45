/** Presets: gains, portrait and background under a name, kept by the browser. */

const MOST = 9;

/** Events: "apply" (detail: {gains, portrait, background}). */
export class Presets extends EventTarget {
  #list;
  #words;
  #choices;
  #now;
  #kept;

  /**
   * @param {{list: HTMLElement, form: HTMLFormElement, words: HTMLElement}} parts
   * @param {import("./choices.js").Choices} choices
   * @param {() => object} now what would be saved
   */
  constructor({ list, form, words }, choices, now) {
    super();
    this.#list = list;
    this.#words = words;
    this.#choices = choices;
    this.#now = now;
    this.#kept = choices.get("presets") ?? [];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const field = form.elements.namedItem("name");
      if (this.#save(field.value.trim())) field.value = "";
    });
    this.#show();
  }

  /** Apply the n-th, from 1. @returns {boolean} whether there is one */
  nth(n) {
    const preset = this.#kept[n - 1];
    if (preset) this.#apply(preset);
    return this.#kept.length > 0;
  }

  #apply(preset) {
    this.dispatchEvent(new CustomEvent("apply", { detail: preset }));
    this.#words.textContent = `${preset.name} is on.`;
  }

  /** Under a name that is there already it takes the place of that one. */
  #save(name) {
    if (!name) return this.#say("Give the preset a name.");
    const place = this.#kept.findIndex((preset) => preset.name === name);
    if (place < 0 && this.#kept.length === MOST) return this.#say("There are nine presets: remove one first.");
    this.#kept.splice(place < 0 ? this.#kept.length : place, place < 0 ? 0 : 1, { name, ...this.#now() });
    this.#keep(`${name} is saved.`);
    return true;
  }

  #say(text) {
    this.#words.textContent = text;
    return false;
  }

  #keep(text) {
    this.#choices.set("presets", this.#kept);
    this.#show();
    this.#words.textContent = text;
  }

  #show() {
    this.#list.replaceChildren(...this.#kept.map((preset, index) => this.#row(preset, index)));
  }

  #row(preset, index) {
    const row = document.createElement("li");
    const apply = button(preset.name, () => this.#apply(preset));
    const key = document.createElement("kbd");
    key.textContent = index + 1;
    apply.prepend(key, " ");
    const remove = button("×", () => {
      this.#kept.splice(index, 1);
      this.#keep(`${preset.name} is removed.`);
    });
    remove.className = "quiet";
    remove.setAttribute("aria-label", `Remove the preset ${preset.name}`);
    row.append(apply, remove);
    return row;
  }
}

function button(text, act) {
  const found = document.createElement("button");
  Object.assign(found, { type: "button", textContent: text });
  found.addEventListener("click", act);
  return found;
}
