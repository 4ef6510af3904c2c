// The source panel: shows the article, marks the quotes of an answer, and scrolls to the one whose button was clicked.
// Offsets count UTF-16 units. Texts are set with textContent only: nothing in an article is ever read as HTML.
"use strict";
(() => {
  const articles = new Map(); // id -> promise of {id, title, paragraphs, starts, length}
  let shown = null; // the article in the panel, with the element of each paragraph
  let marked = []; // [merged element, the paragraphs' elements that it stands for]
  let newest = ""; // the quotes of the latest answer, as last marked
  let origin = null; // the button that was clicked, to go back to

  const panel = () => document.getElementById("article");
  const calm = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

  async function load(id) {
    const response = await fetch("/articles/" + encodeURIComponent(id));
    if (!response.ok) throw new Error(`the article ${id} cannot be loaded: ${response.status}`);
    const article = await response.json();
    article.starts = [];
    article.length = 0;
    for (const paragraph of article.paragraphs) {
      article.starts.push(article.length);
      article.length += paragraph.length;
    }
    return article;
  }

  function fetched(id) {
    if (!articles.has(id)) {
      const loading = load(id);
      loading.catch(() => articles.delete(id));
      articles.set(id, loading);
    }
    return articles.get(id);
  }

  const element = (name, text = "") => Object.assign(document.createElement(name), { textContent: text });

  // A paragraph of the text, with marks (sorted, apart, inside it); white space at its end is kept but not shown.
  function paragraph(text, start, marks) {
    const node = element("p");
    let at = 0;
    for (const mark of marks) {
      node.append(text.slice(at, mark.start - start));
      const found = element("mark", text.slice(mark.start - start, mark.end - start));
      if (mark.current) found.setAttribute("aria-current", "true");
      node.append(found);
      at = mark.end - start;
    }
    const end = Math.max(at, text.trimEnd().length);
    const gap = element("span", text.slice(end));
    gap.hidden = true;
    node.append(text.slice(at, end), gap);
    return node;
  }

  function show(article) {
    if (shown && shown.article === article) return;
    const nodes = article.paragraphs.map((text, i) => paragraph(text, article.starts[i], []));
    shown = { article, nodes };
    marked = [];
    const box = panel();
    box.removeAttribute("title");
    box.setAttribute("aria-label", "Article: " + article.title);
    box.replaceChildren(element("h2", article.title), ...nodes);
    box.scrollTop = 0;
  }

  // The current quote is one mark whatever overlaps it; what the others have beyond it is joined into plain marks.
  function marksOf(quotes, current) {
    const free = [];
    for (const { start, end } of [...quotes].sort((a, b) => a.start - b.start)) {
      const parts = current ? [[start, Math.min(end, current.start)], [Math.max(start, current.end), end]] : [[start, end]];
      for (const [from, to] of parts) {
        if (from >= to) continue;
        const joint = free.find((other) => from <= other.end && other.start <= to);
        if (joint) [joint.start, joint.end] = [Math.min(joint.start, from), Math.max(joint.end, to)];
        else free.push({ start: from, end: to });
      }
    }
    if (current) free.push({ ...current, current: true });
    return free.sort((a, b) => a.start - b.start);
  }

  // The position of the paragraph that holds the offset.
  function at(offset) {
    let low = 0;
    let high = shown.article.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (shown.article.starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // Marks in the shown article; paragraphs that a mark runs across become one, so that no break falls inside a quote.
  function paint(marks) {
    for (const [joint, nodes] of marked) joint.replaceWith(...nodes);
    marked = [];
    const groups = [];
    for (const mark of marks) {
      const [first, last] = [at(mark.start), at(mark.end - 1)];
      const open = groups[groups.length - 1];
      if (open && first <= open.last) {
        open.last = Math.max(open.last, last);
        open.marks.push(mark);
      } else groups.push({ first, last, marks: [mark] });
    }
    for (const { first, last, marks: inside } of groups) {
      const { article, nodes } = shown;
      const joint = paragraph(article.paragraphs.slice(first, last + 1).join(""), article.starts[first], inside);
      const old = nodes.slice(first, last + 1);
      old[0].before(joint);
      old.forEach((node) => node.remove());
      marked.push([joint, old]);
    }
  }

  function quoteOf(button) {
    const [id, start, end] = button.value.split(" ");
    return { id, start: Number(start), end: Number(end) };
  }

  async function reveal(buttons, chosen) {
    const quotes = buttons.map(quoteOf);
    const target = chosen ? quoteOf(chosen) : quotes[0];
    const article = await fetched(target.id);
    show(article);
    paint(marksOf(quotes.filter((quote) => quote.id === target.id), chosen ? target : null));
    const mark = panel().querySelector(chosen ? 'mark[aria-current="true"]' : "mark");
    if (!mark) return;
    const box = panel();
    const [inner, outer] = [mark.getBoundingClientRect(), box.getBoundingClientRect()];
    const room = Math.max(24, (box.clientHeight - inner.height) / 2);
    box.scrollTo({ top: box.scrollTop + inner.top - outer.top - room, behavior: calm() });
    if (!chosen) return;
    if (outer.top < 0 || outer.bottom > innerHeight) box.scrollIntoView({ block: "nearest", behavior: calm() });
    origin = chosen;
    mark.tabIndex = -1;
    mark.focus({ preventScroll: true });
  }

  const quotesOf = (answer) => [...answer.querySelectorAll(".card > .source")];

  // A new answer marks its quotes at once; its nearest passages only when one of them is asked for.
  function follow() {
    const status = document.getElementById("status");
    if (status && !status.hasAttribute("role")) {
      status.setAttribute("role", "status"); // on the frame, which stays: what changes inside it is announced
      // Gradio's own announcer keeps aria-live; one element has the role, so that it can be found.
      for (const other of document.querySelectorAll('.sr-only[role="status"]')) other.removeAttribute("role");
    }
    if (panel() && !panel().childNodes.length) fillPanel();
    const answers = document.querySelectorAll("#conversation .answer");
    const last = answers[answers.length - 1];
    if (!last) return;
    const buttons = last.classList.contains("abstained") ? [] : quotesOf(last);
    const key = answers.length + "\n" + buttons.map((button) => button.value).join("\n");
    if (key === newest) return;
    newest = key;
    last.parentElement.scrollIntoView({ block: "start", behavior: calm() });
    if (buttons.length) reveal(buttons, null).catch(console.error);
    else if (shown) paint([]);
  }

  let filling = false;
  async function fillPanel() {
    if (filling) return;
    filling = true;
    try {
      const known = await (await fetch("/articles")).json();
      const article = await fetched(known[0].id);
      if (!panel().childNodes.length) show(article);
    } catch (error) {
      filling = false;
      console.error(error);
    }
  }

  document.addEventListener("click", (event) => {
    const card = event.target.closest("#conversation .card");
    const button = event.target.closest("#conversation .source") ?? (card && card.querySelector(".source"));
    if (!button || (card && String(getSelection()))) return;
    reveal(quotesOf(button.closest(".answer")), button).catch(console.error);
  });
  document.addEventListener(
    "toggle",
    ({ target }) => target.open && target.closest(".exchange")?.scrollIntoView({ block: "start", behavior: calm() }),
    true,
  );
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && origin && origin.isConnected && panel().contains(document.activeElement)) origin.focus();
  });
  new MutationObserver(follow).observe(document.documentElement, { childList: true, subtree: true });
  follow();
})();
