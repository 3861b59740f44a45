/** Single keys, as in Mien's window; off while something is typed, and when the person wants none. */

const KEPT = "mien-keys";

/**
 * @param {HTMLInputElement} checkbox whether keys are obeyed
 * @param {(key: string) => boolean} act true when the key meant something
 */
export function listenForKeys(checkbox, act) {
  checkbox.checked = localStorage.getItem(KEPT) !== "off";
  checkbox.addEventListener("change", () => localStorage.setItem(KEPT, checkbox.checked ? "on" : "off"));
  addEventListener("keydown", (event) => {
    const { target, key, ctrlKey, metaKey, altKey, repeat } = event;
    if (!checkbox.checked || ctrlKey || metaKey || altKey || repeat) return;
    if (target.matches?.("select, textarea, input:not([type=radio], [type=range], [type=checkbox])")) return;
    if (act(key.toLowerCase())) event.preventDefault();
  });
}
