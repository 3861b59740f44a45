/** Further photos of the chosen portrait's person: what it lacks is taken from them. */

export class Photos {
  #api;
  #gallery;

  constructor(api, gallery, { button, file }) {
    this.#api = api;
    this.#gallery = gallery;
    button.addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      const files = [...file.files];
      file.value = "";
      button.disabled = true;
      await this.#addAll(files);
      button.disabled = false;
    });
  }

  async #addAll(files) {
    const portrait = this.#gallery.portrait;
    let said = [];
    const refused = [];
    for (const [n, file] of files.entries()) {
      this.#gallery.say(`Looking at photo ${n + 1} of ${files.length}…`);
      try {
        const why = this.#gallery.refusal(file);
        if (why) throw new Error(why);
        // A copy: the file on the disk may be gone when it is wanted again.
        const copy = new File([await file.arrayBuffer()], file.name, { type: file.type });
        const answer = await this.#api.addPhoto(portrait.id, copy);
        portrait.photos.push(copy);
        // What is taken and what is missing is said of all of them together.
        said = answer.notes;
        refused.push(...answer.refused);
      } catch (problem) {
        refused.push(`${file.name}: ${[problem.title ?? problem.message, problem.detail].filter(Boolean).join(" ")}`);
      }
    }
    // Drawn anew, if it is still the one that is shown.
    if (this.#gallery.chosen === portrait.id) this.#gallery.choose(portrait.id);
    this.#gallery.say([...said, ...refused].map((note) => inWords(note)).join(" "));
  }
}

function inWords(note) {
  const words = note.replace(/^photos: /, "");
  return words[0].toUpperCase() + words.slice(1);
}
