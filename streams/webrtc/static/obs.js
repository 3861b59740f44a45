/** The address under which OBS shows this page's avatar. */

const KEPT = "mien-view";

/** A name that stays, so that the address does: nobody can guess it. */
export function viewName() {
  let name = localStorage.getItem(KEPT);
  if (!name) {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    name = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(KEPT, name);
  }
  return name;
}

/** @param {string | null} key of a server with a token */
export function viewLink(key) {
  const query = new URLSearchParams({ session: viewName(), ...(key && { key }) });
  return `${location.origin}/view?${query}`;
}

/** Copies the address; where the browser does not, it is shown in the field, to be copied by hand. */
export async function copyViewLink(key, field) {
  field.value = viewLink(key);
  try {
    await navigator.clipboard.writeText(field.value);
    return "Copied. In OBS: add a source, Browser, and paste it as the URL.";
  } catch {
    field.hidden = false;
    field.focus();
    field.select();
    return "Copy this address. In OBS: add a source, Browser, and paste it as the URL.";
  }
}
