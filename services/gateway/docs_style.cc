// The style of the reference page. Colours follow the system's light or dark scheme; contrast is at
// least 4.5:1.
#include "services/gateway/docs_page.h"

namespace micropay::gateway {

const std::string_view kReferenceStyle = R"~(
:root { --ink: #1d2430; --soft: #556070; --paper: #ffffff; --panel: #f4f6f9; --line: #d5dbe3;
  --accent: #0b57d0;
  --good: #146c2e; --bad: #b3261e; --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #a7b1bf; --paper: #12161c; --panel: #1b212a; --line: #343d4a;
  --accent: #8ab4f8;
    --good: #7ddc95; --bad: #ffb4ab; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; background: var(--paper); padding: 8px; z-index: 2; }
header { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 8px 24px;
  align-items: center;
  padding: 10px 20px; background: var(--panel); border-bottom: 1px solid var(--line); }
header h1 { font-size: 18px; margin: 0; }
#version { color: var(--soft); font-weight: normal; font-size: 14px; }
#session { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
label { color: var(--soft); font-size: 13px; }
input, select, textarea, button { font: inherit; font-size: 14px; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: 6px; padding: 5px 8px; }
button { cursor: pointer; background: var(--accent); color: var(--paper); border-color: var(--accent); }
button.plain { background: transparent; color: var(--accent); }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; font-size: 12px; }
.columns { display: grid; grid-template-columns: 210px minmax(0, 1fr); }
nav { padding: 20px; position: sticky; top: 62px; align-self: start; }
nav a { display: block; padding: 3px 0; text-decoration: none; }
main { padding: 4px 28px 60px; max-width: 1000px; }
h2 { margin: 32px 0 4px; font-size: 20px; }
h3 { margin: 16px 0 6px; font-size: 14px; color: var(--soft); text-transform: uppercase;
  letter-spacing: .04em; }
details.route { border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; background: var(--panel); }
details.route > summary { cursor: pointer; padding: 8px 12px; display: flex; flex-wrap: wrap; gap: 4px 12px;
  align-items: baseline; list-style: none; }
details.route > div { padding: 0 14px 14px; border-top: 1px solid var(--line); }
.verb { font: 700 12px var(--mono); min-width: 58px; color: var(--accent); }
.verb.POST { color: var(--good); } .verb.DELETE { color: var(--bad); }
.path { font-family: var(--mono); font-size: 14px; }
.note { color: var(--soft); font-size: 13px; }
.badge { border: 1px solid var(--line); border-radius: 999px; padding: 0 8px; font-size: 12px;
  color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: 14px; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 4px 10px 4px 0;
  border-bottom: 1px solid var(--line); }
code, pre, textarea { font-family: var(--mono); font-size: 13px; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 6px; padding: 10px;
  overflow: auto;
  max-height: 420px; margin: 6px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
textarea { width: 100%; min-height: 130px; }
.try { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 12px; align-items: center; }
.try textarea, .try .wide { grid-column: 1 / -1; }
.good { color: var(--good); } .bad { color: var(--bad); }
tr:target, section :target { background: var(--panel); }
main [id] { scroll-margin-top: 110px; }
[hidden] { display: none !important; }
@media (max-width: 760px) { .columns { grid-template-columns: 1fr; } nav { position: static;
  padding: 12px 20px; }
  nav a { display: inline-block; margin-right: 12px; } main { padding: 4px 16px 40px; } }
)~";

}  // namespace micropay::gateway
