// Keeps a page up to date while somebody looks at it, and copies a line. Everything works without it.
"use strict";
(() => {
  // A part of a page that follows the fleet: fetched anew when something happened.
  const follow = (part) => {
    const button = document.querySelector("[data-pause]");
    const refresh = () => {
      const url = location.pathname + location.search;
      const from = part.dataset.from || url;
      htmx.ajax("GET", from, { target: "#" + part.id, select: "#" + part.id, swap: "outerHTML" });
    };
    let paused = false;
    const tell = (state, text) => {
      if (!button) return;
      button.dataset.state = state;
      button.textContent = text;
    };
    const events = new EventSource(part.dataset.live);
    let missed = false;
    events.addEventListener("open", () => { if (!paused) tell("live", "Live"); });
    events.addEventListener("error", () => { if (!paused) tell("broken", "Not connected"); });
    events.addEventListener("fleet", () => { if (paused) missed = true; else refresh(); });
    if (button) {
      button.hidden = false;
      button.addEventListener("click", () => {
        paused = !paused;
        button.setAttribute("aria-pressed", String(paused));
        tell(paused ? "paused" : "live", paused ? "Paused" : "Live");
        if (!paused && missed) { missed = false; refresh(); }
      });
    }
  };

  const copy = (button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      const was = button.textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        const range = document.createRange();
        range.selectNodeContents(document.getElementById(button.dataset.copy));
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        button.textContent = "Selected: copy it";
      }
      setTimeout(() => { button.textContent = was; }, 2000);
    });
  };

  const part = document.querySelector("[data-live]");
  if (part) follow(part);
  document.querySelectorAll("[data-copy]").forEach(copy);
})();
