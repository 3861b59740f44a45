/** How much of each kind of motion is taken over. */

const KINDS = [
  { name: "expression", label: "Expression", min: 0, max: 2, step: 0.05, plain: 1 },
  { name: "head", label: "Head", min: 0, max: 2, step: 0.05, plain: 1 },
  { name: "turn", label: "Head turn", min: 0, max: 2, step: 0.05, plain: 1 },
  { name: "eyes", label: "Eyes", min: 0, max: 2, step: 0.05, plain: 1 },
  { name: "mouth", label: "Mouth", min: 0, max: 2, step: 0.05, plain: 1 },
  { name: "micro", label: "Micro-motion", min: 1, max: 8, step: 0.25, plain: 1 },
];
const QUIET_MS = 60;

/** Events: "change" (detail: {expression, head, turn, eyes, mouth, micro}). */
export class Gains extends EventTarget {
  #inputs = new Map();
  #later = 0;

  constructor(box, reset) {
    super();
    for (const kind of KINDS) this.#add(box, kind);
    reset.addEventListener("click", () => this.reset());
  }

  get values() {
    return Object.fromEntries([...this.#inputs].map(([name, input]) => [name, input.valueAsNumber]));
  }

  /** @param {object} values as the getter gave them */
  set values(values) {
    for (const [name, value] of Object.entries(values)) {
      const input = this.#inputs.get(name);
      if (input && Number.isFinite(value)) this.#set(input, value);
    }
    this.#tell();
  }

  reset() {
    for (const { name, plain } of KINDS) this.#set(this.#inputs.get(name), plain);
    this.#tell();
  }

  #add(box, { name, label, plain, ...range }) {
    const row = document.createElement("label");
    row.className = "gain";
    const input = document.createElement("input");
    Object.assign(input, { type: "range", name, id: `gain-${name}`, ...range });
    const output = document.createElement("output");
    output.htmlFor = input.id;
    row.append(label, input, output);
    box.append(row);
    this.#inputs.set(name, input);
    this.#set(input, plain);
    input.addEventListener("input", () => {
      this.#set(input, input.valueAsNumber);
      this.#tell();
    });
    input.addEventListener("dblclick", () => {
      this.#set(input, plain);
      this.#tell();
    });
  }

  #set(input, value) {
    input.value = value;
    const words = `× ${value.toFixed(2)}`;
    input.nextElementSibling.value = words;
    input.setAttribute("aria-valuetext", `${value.toFixed(2)} times`);
  }

  /** Once for a whole pull of the slider's knob, not once for every pixel of it. */
  #tell() {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => {
      this.dispatchEvent(new CustomEvent("change", { detail: this.values }));
    }, QUIET_MS);
  }
}
