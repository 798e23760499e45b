// Every page loads this. Each part listens on the document, so content that htmx brings in later is covered too.
import "./requests.js";
import "./themes.js";
import "./toasts.js";
import "./dialogs.js";
import "./forms.js";
import "./shortcuts.js";
