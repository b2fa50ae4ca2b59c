// Keys of the queue: j and k lead from case to case, Enter opens what has the focus, ? shows what there is.
// Nothing needs them: every case is a link that Tab reaches. Whoever does not want them turns them off.
"use strict";

(() => {
  const help = document.getElementById("keys");
  if (help === null) return;
  const onOff = help.querySelector("button");
  const links = Array.from(document.querySelectorAll(".cases td a"));

  const wanted = () => localStorage.getItem("keys") !== "off";
  const tell = () => { onOff.textContent = wanted() ? "Turn these keys off" : "Turn these keys on"; };

  const step = (by) => {
    const now = links.indexOf(document.activeElement);
    const next = now < 0 ? (by > 0 ? 0 : links.length - 1) : now + by;
    if (links[next]) links[next].focus();
  };

  const acts = {
    j: () => step(1),
    k: () => step(-1),
    "?": () => { help.open = !help.open; help.querySelector("summary").focus(); },
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea") !== null;
    const act = acts[event.key];
    if (!act || !wanted() || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  onOff.addEventListener("click", () => { localStorage.setItem("keys", wanted() ? "off" : "on"); tell(); });
  tell();
  help.hidden = false;
})();
