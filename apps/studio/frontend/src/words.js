// Sentences in the page's language, which the server wrote into <body data-words>.
const words = JSON.parse(document.body.dataset.words ?? "{}");

export const word = (name) => words[name] ?? name;
