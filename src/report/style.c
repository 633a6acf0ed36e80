#include "report/style.h"

/* Series colours: vermilion (policy), blue (reference), green (judges) and
 * ochre keep apart for the common kinds of colour blindness and have a
 * contrast of at least 4.5 to their page. */
/* One rule or a few to a string: a compiler need not take long ones. */
static const char *const sheet[] = {
    ":root{--page:#fbfaf7;--card:#fff;--ink:#1d2329;--soft:#57616b;"
    "--rule:#dcd8cf;--c0:#b8420b;--c1:#0b62a4;--c2:#0c7355;--c3:#7d6200;"
    "--heat:224,96,20;--band:.16}\n",
    "@media screen and (prefers-color-scheme:dark){:root{--page:#14181c;"
    "--card:#1b2127;--ink:#e9e7e2;--soft:#a6b0b9;--rule:#343d46;"
    "--c0:#f2935a;--c1:#74b9f2;--c2:#52cca6;--c3:#e3bd4a;"
    "--heat:242,130,60;--band:.22}}\n",
    "*{box-sizing:border-box}\n",
    "html{-webkit-text-size-adjust:100%;color-scheme:light dark}\n",
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:17px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',"
    "'Liberation Sans',sans-serif}\n",
    "main{max-width:1040px;margin:0 auto;padding:40px 20px 64px}\n",
    "h1{font-size:1.95rem;line-height:1.2;margin:0 0 .5em;"
    "font-weight:650;letter-spacing:-.01em;text-wrap:balance}\n",
    "h2{font-size:1.3rem;margin:2.6em 0 .5em;font-weight:650;"
    "border-top:1px solid var(--rule);padding-top:1.1em}\n",
    "h3{font-size:1rem;margin:1.6em 0 .4em;font-weight:650}\n",
    "p{margin:.5em 0;max-width:68ch}\n",
    "ul{padding-left:1.2em;max-width:68ch}li{margin:.35em 0}\n",
    ".lede{font-size:1rem;color:var(--soft)}\n",
    ".ci,.note,figcaption{color:var(--soft)}\n",
    ".ci{white-space:nowrap;font-size:.93em}\n",
    ".note,figcaption{font-size:.88rem}\n",
    ".cards{display:grid;grid-template-columns:repeat(3,1fr);gap:16px;"
    "margin:1.8em 0 1em}\n",
    ".card{background:var(--card);border:1px solid var(--rule);"
    "border-radius:10px;padding:18px 20px}\n",
    ".card h2{border:0;padding:0;margin:0;font-size:1rem}\n",
    ".card p{font-size:.92rem}\n",
    ".card .big{font-size:2.1rem;line-height:1.15;font-weight:650;"
    "margin:.35em 0 0;font-variant-numeric:tabular-nums}\n",
    ".card .unit{font-size:.88rem;color:var(--soft);margin:0 0 .8em}\n",
    ".chips{margin:.55em 0 0}\n",
    ".chip{display:inline-block;font-size:.8rem;font-weight:650;"
    "padding:.1em .7em;border-radius:1em;border:1.5px solid var(--ink);"
    "margin:0 .35em .3em 0}\n",
    ".chip.yes{background:var(--ink);color:var(--page)}\n",
    ".chip.open{border-style:dashed;color:var(--soft);"
    "border-color:var(--soft)}\n",
    ".figures{display:grid;grid-template-columns:1fr 1fr;gap:20px 16px}\n",
    "figure{margin:0;background:var(--card);border:1px solid var(--rule);"
    "border-radius:10px;padding:14px 14px 10px;min-width:0}\n",
    "figure h3{margin:0 0 .3em}\n",
    "figcaption{margin-top:.3em}\n",
    "svg.chart{display:block;width:100%;height:auto}\n",
    "svg text{fill:var(--soft);font-size:12px;font-family:inherit}\n",
    "svg .legend,svg .point{fill:var(--ink)}svg .point{font-size:11px}\n",
    ".grid{stroke:var(--rule);stroke-width:1}\n",
    ".axis{stroke:var(--soft);stroke-width:1}\n",
    ".line{fill:none;stroke-width:2.2;stroke-linejoin:round}\n",
    ".edge{stroke-width:1.8}\n",
    ".hair{fill:none;stroke-width:1;opacity:.55}\n",
    ".band{stroke:none;opacity:var(--band)}\n",
    ".bars{stroke-width:1.8;fill-opacity:var(--band)}\n",
    ".dot{stroke:var(--card);stroke-width:1}\n",
    ".line.s0,.hair.s0,.bars.s0,.edge.s0{stroke:var(--c0)}\n",
    ".line.s1,.hair.s1,.bars.s1,.edge.s1{stroke:var(--c1)}\n",
    ".bars.s1,.edge.s1{stroke-dasharray:7 3}\n",
    ".line.s2,.hair.s2,.bars.s2{stroke:var(--c2)}\n",
    ".line.s3,.hair.s3,.bars.s3{stroke:var(--c3)}\n",
    ".band.s0,.dot.s0,.bars.s0{fill:var(--c0)}\n",
    ".band.s1,.dot.s1,.bars.s1{fill:var(--c1)}\n",
    ".band.s2,.dot.s2,.bars.s2{fill:var(--c2)}\n",
    ".band.s3,.dot.s3,.bars.s3{fill:var(--c3)}\n",
    ".pair{background:var(--card);border:1px solid var(--rule);"
    "border-radius:10px;padding:16px 20px;margin:16px 0}\n",
    ".pair .ask{margin:0 0 .8em;font-weight:600;max-width:none}\n",
    ".pair .ask span{display:block;font-weight:400;color:var(--soft);"
    "font-size:.82rem}\n",
    ".sides{display:grid;grid-template-columns:1fr 1fr;gap:24px}\n",
    ".side{min-width:0}.side h3{margin:0}\n",
    ".side.policy h3{color:var(--c0)}.side.reference h3{color:var(--c1)}\n",
    ".facts{font-size:.82rem;color:var(--soft);margin:.1em 0 .6em;"
    "font-variant-numeric:tabular-nums}\n",
    ".said{line-height:1.9;margin:0;overflow-wrap:anywhere;"
    "white-space:pre-wrap}\n",
    ".t{border-bottom:0 solid rgb(var(--heat));"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact}\n",
    ".k1{background:rgba(var(--heat),.09);border-bottom-width:0}\n",
    ".k2{background:rgba(var(--heat),.18);border-bottom-width:2px}\n",
    ".k3{background:rgba(var(--heat),.30);border-bottom-width:3px}\n",
    ".k4{background:rgba(var(--heat),.44);border-bottom-width:4px}\n",
    ".k5{background:rgba(var(--heat),.60);border-bottom-width:5px}\n",
    ".eos{color:var(--soft);font-size:.8em}\n",
    ".key{font-size:.88rem;color:var(--soft);line-height:2.1;"
    "max-width:none}\n",
    ".key .t{padding:0 .45em;margin-right:.5em;color:var(--ink);"
    "white-space:nowrap}\n",
    ".wide{overflow-x:auto}td.value{overflow-wrap:anywhere;min-width:8em}"
    ".configs>div{min-width:0}\n",
    "table{border-collapse:collapse;font-size:.88rem;width:100%;"
    "font-variant-numeric:tabular-nums}\n",
    "th,td{text-align:left;padding:.3em .9em .3em 0;vertical-align:top;"
    "border-bottom:1px solid var(--rule);overflow-wrap:break-word}\n",
    "th{font-weight:600;color:var(--soft)}\n",
    "td.n,th.n{text-align:right;white-space:nowrap}\n",
    "code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,"
    "'Liberation Mono',monospace;overflow-wrap:break-word}\n",
    ".configs{display:grid;grid-template-columns:repeat(auto-fit,"
    "minmax(280px,1fr));gap:8px 32px}\n",
    "nav{display:flex;flex-wrap:wrap;gap:.2em 1.2em;font-size:.85rem;"
    "margin:-8px 0 2.2em;padding-bottom:.8em;"
    "border-bottom:1px solid var(--rule)}nav a{color:var(--soft);"
    "text-decoration:none}nav a:hover{color:var(--ink);"
    "text-decoration:underline}\n",
    ".essay h1{font-size:2.3rem;max-width:26ch;margin-bottom:.7em}\n",
    ".essay h2{border:0;padding:0;margin:0 0 .45em;font-size:1.2rem}\n",
    ".essay .prose p{font-size:1.06rem;line-height:1.68;max-width:64ch;"
    "margin:0 0 .9em;hyphens:manual}\n",
    ".essay .prose p.stand{font-size:1.2rem;line-height:1.6;"
    "max-width:60ch}\n",
    ".part{margin:2.4em 0 0}.part.two{display:grid;"
    "grid-template-columns:minmax(0,1fr) 370px;gap:12px 44px;"
    "align-items:start}\n",
    ".beside svg text{font-size:13px}.beside svg .legend{font-size:12px}"
    "svg .name{fill:var(--ink)}.beside svg .name{font-size:14px}"
    ".beside{display:grid;gap:14px}.beside "
    "h3{font-size:.92rem}"
    ".beside figcaption{font-size:.82rem}\n",
    "a.num{color:inherit;text-decoration:underline dotted var(--c1);"
    "text-decoration-thickness:1.5px;text-underline-offset:.22em;"
    "font-variant-numeric:tabular-nums}a.num:hover,a.num:focus{"
    "color:var(--c1);text-decoration-style:solid}\n",
    ".prose a.num{font-weight:600}\n",
    "tr:target,.card:target,p:target{outline:2px solid var(--c1);"
    "outline-offset:2px}\n",
    "tr,section,.card,p{scroll-margin-top:16px}\n",
    "td.claim{min-width:19em}.leads "
    "th:first-child{min-width:8.5em;overflow-wrap:anywhere}td.from{min-width:"
    "11em;font-size:.82rem;"
    "color:var(--soft)}td.signs{min-width:10em}td .chip{margin:0;"
    "white-space:nowrap;font-weight:600;font-size:.74rem}\n",
    ".told{color:var(--soft)}td.holds{font-weight:650}"
    "td.holds .ci{font-weight:400}.other{color:var(--c0)}\n",
    ".pairs{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:"
    "16px}"
    ".pairs .card{min-width:0}.pairs .ci{display:block}"
    ".pairs .card h3{margin:0 0 .4em;font-size:1.05rem}\n",
    "pre{background:var(--page);border:1px solid var(--rule);"
    "border-radius:6px;padding:.6em .8em;overflow-x:auto;margin:.6em 0;"
    "font:.82rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"
    "'Liberation Mono',monospace}\n",
    "details summary{cursor:pointer;font-weight:650;margin:1.6em 0 .4em}"
    "details h3{display:none}\n",
    ".bar.s0{fill:var(--c0)}.bar.s1{fill:var(--c1)}.bar.s2{fill:var(--c2)}"
    ".bar.s3{fill:var(--c3)}.whisker{stroke:var(--ink);stroke-width:1.6}\n",
    "footer{margin-top:3em;font-size:.85rem;color:var(--soft)}\n",
    "@media(max-width:900px){.part.two,.pairs{"
    "grid-template-columns:minmax(0,1fr)}"
    ".essay h1{font-size:1.75rem}.essay .prose p.stand{font-size:1.1rem}"
    ".beside{grid-template-columns:repeat(auto-fit,minmax(260px,1fr))}}\n",
    "@media(max-width:760px){body{font-size:16px}main{padding:24px 16px "
    "48px}h1{font-size:1.55rem}.cards,.figures,.sides{"
    "grid-template-columns:minmax(0,1fr)}.pair{padding:14px}"
    "figure{padding:12px 8px 8px}figure h3,figcaption{padding:0 4px}"
    "svg text{font-size:13px}.sides{gap:18px}}\n",
    /* On a narrow screen nothing is smaller than the text, and a row of the
     * evidence is a block of its own. */
    "@media screen and (max-width:760px){table,.note,figcaption,figure h3,nav,"
    ".card p,.card .unit,.card .big+.unit,.facts,.key,footer,pre,.pair .ask "
    "span,.beside h3,.beside figcaption,td.from{font-size:1rem}"
    "code,.ci,.eos{font-size:.95em}pre{white-space:pre-wrap;"
    "overflow-wrap:anywhere}td .chip,.chip{font-size:.9rem}"
    ".stack thead{display:none}"
    ".stack,.stack tbody,.stack tr,.stack td,.stack th{display:block}"
    ".stack tr{padding:.9em 0;border-bottom:1px solid var(--rule)}"
    ".stack td,.stack th,.leads th:first-child{border:0;padding:.1em 0;"
    "min-width:0;text-align:left;white-space:normal;overflow-wrap:anywhere}"
    ".stack td[data-k]{display:inline-block;margin-right:1.3em}"
    ".stack td[data-k]:before{content:attr(data-k) \"\\A0\";"
    "color:var(--soft)}.stack td:empty{display:none}}\n",
    ".prose code span,"
    "td.signs span{white-space:nowrap}\n",
    "@media print{@page{margin:15mm}:root{--page:#fff;--card:#fff}"
    "body{font-size:10.5pt}main{max-width:none;padding:0}"
    ".cards{grid-template-columns:repeat(3,1fr)}"
    ".figures,.sides{grid-template-columns:1fr 1fr}"
    ".card,figure,.pair,tr,li,.prose p{break-inside:avoid}"
    "h2,h3,.note{break-after:avoid}.wide{overflow:visible}"
    ".card .big{font-size:20pt}.chip.yes{"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n",
};

void style_write(struct html *h)
{
    for (size_t i = 0; i < sizeof sheet / sizeof *sheet; i++)
        html_raw(h, sheet[i]);
}
