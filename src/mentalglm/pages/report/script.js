
"use strict";
(() => {
  const find = (selector, root = document) => root.querySelector(selector);
  const posts = [...document.querySelectorAll("article")];
  const label = find("#label"), search = find("#search"), scopes = [...document.querySelectorAll("[data-scope]")];
  let scope = "all";

  const words = new WeakMap();  // what is searched in a post, made when it is first asked for
  const wordsOf = (post) => {
    if (!words.has(post)) {
      const parts = [find(".id", post), find(".text", post), find(".extra", post), ...post.querySelectorAll(".why, .failed")];
      words.set(post, parts.map((part) => (part ? part.textContent : "")).join("\n").toLowerCase());
    }
    return words.get(post);
  };

  const apply = () => {
    const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const post of posts) {
      const hit = (scope === "all" || "look" in post.dataset)
        && (!label.value || post.dataset.labels.split(" ").includes(label.value))
        && wanted.every((word) => wordsOf(post).includes(word));
      post.hidden = !hit;
      shown += hit;
    }
    find("#shown").textContent = `${shown.toLocaleString()} / ${posts.length.toLocaleString()}`;
    find("#nothing").hidden = shown > 0 || posts.length === 0;
    for (const button of scopes) button.setAttribute("aria-pressed", String(button.dataset.scope === scope));
  };

  for (const button of scopes) button.addEventListener("click", () => { scope = button.dataset.scope; apply(); });
  label.addEventListener("change", apply);
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 120); });
  find("#reset").addEventListener("click", () => { scope = "all"; label.value = ""; search.value = ""; apply(); });
  find("#bar").hidden = false;
  apply();

  // A label under the pointer shows its own evidence alone.
  const light = (event, on) => {
    const row = event.target.closest("[data-key]"), post = row && row.closest("article");
    if (!post) return;
    const key = `${row.closest("[data-task]").dataset.task}:${row.dataset.key}`;
    const marks = [...post.querySelectorAll("mark")].filter((mark) => mark.dataset.keys.split(" ").includes(key));
    for (const mark of marks) mark.classList.toggle("lit", on);
    post.classList.toggle("looking", on && marks.length > 0);
  };
  document.addEventListener("mouseover", (event) => light(event, true));
  document.addEventListener("mouseout", (event) => light(event, false));

  const root = document.documentElement, theme = find("#theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  try { if (localStorage.mentalglmTheme) root.dataset.theme = localStorage.mentalglmTheme; } catch { /* not kept then */ }
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.mentalglmTheme = root.dataset.theme; } catch { /* not kept then */ }
  });
})();
