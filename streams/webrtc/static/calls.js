/** What the page says about video calls: the camera's name there, or how to get one. */

/** @param {{camera: string | null, help: string, wanted: boolean}} calls the server's state */
export function tellOfCalls(ids, { camera, help, wanted }) {
  ids("calls-words").textContent = camera ? `Video calls find this avatar as the camera “${camera}”.` : "";
  const box = ids("calls");
  if (box.hidden && wanted) box.open = true; // asked for: what is missing is read at once
  box.hidden = !help;
  ids("calls-help").replaceChildren(...withCommands(help));
}

/** Text in which what stands between backticks is a command. */
function withCommands(text) {
  return text.split("`").map((part, index) => {
    if (index % 2 === 0) return part;
    return Object.assign(document.createElement("code"), { textContent: part });
  });
}
