/**
 * plan.mjs - what the tests have judged: a support desk's tickets.
 */

const TICKETS = [
    ["Hi, my order 48213 was due on Monday and the tracking has said “in " +
     "transit” for six days. I need it for a birthday on Saturday. What can " +
     "you do?",
    ["I am sorry that it is late. The parcel has not moved since the Leeds " +
     "depot on the 14th, so I have sent a second one today by next-day " +
     "courier: it reaches you on Thursday. If the first one turns up, keep it " +
     "or hand it back to the driver.\n\nYou will get the new tracking number " +
     "by e-mail within the hour.",
    "Thank you so much for reaching out to us today, and I completely " +
     "understand how important a birthday is! We truly value your patience. " +
     "Parcels can sometimes be delayed for a number of reasons, including " +
     "weather, volume and depot capacity.\n\nPlease rest assured that we take " +
     "all delays very seriously. I would kindly suggest that you keep an eye " +
     "on the tracking page, as it is updated regularly, and please do not " +
     "hesitate to contact us again if there is anything else at all that we " +
     "can help you with.",
    "Your parcel is late. Please wait two more working days and write again " +
     "if it has not come.",
    "I checked order 48213: it is stuck at the depot. I can **refund** it " +
     "now, or send it again. Which do you prefer?"]],
    ["How do I change the card that my subscription is paid with?",
    ["Open Settings → Billing → Payment method, choose “Add card”, and then " +
     "“Make default”. Your next payment on the 1st is taken from the new card.",
    "Great question! Changing your card is easy. First, log in. Then go to " +
     "Settings. In Settings you will find Billing. In Billing you will find " +
     "Payment method. There you can add a card, and you can also remove cards " +
     "that you do not need any more.\n\nIs there anything else I can help with?",
    "You can do that in the settings of your account.",
    "Cards cannot be changed. Cancel the subscription and start it again."]],
    ["The app signs me out every few minutes since yesterday’s update. I am " +
     "on Android 13.",
    ["That is a fault of version 7.2 on Android 13; version 7.2.1, out today, " +
     "ends it. Update in the Play Store, sign in once more, and it stays.",
    "We are sorry for the inconvenience.\n\n1. Clear the cache\n2. Restart " +
     "your phone\n3. Install the app again\n\nIf none of that helps, please " +
     "send us a screenshot.",
    "Try signing in again.",
    "I understand your frustration. Our engineers work on many improvements."]],
];

/** What a model might say to take over the page. */
export const HOSTILE = [
    "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=2</script>",
    "[click](javascript:window.hacked=3) ![p](http://198.51.100.7/p.png) " +
    "<a href=\"http://198.51.100.7/\">here</a> **<svg onload=hacked=4>** " +
    "`<iframe src=javascript:hacked=5>`",
];

const GUIDE = "Read the ticket first, then both answers.\n\n" +
    "- **Helpful**: does it solve what the customer asked?\n" +
    "- **Direct**: does it come to the point?\n" +
    "- Length is *too long* when you would strike out parts of it.";

/** @param {number} i @param {number} K */
function item(i, K) {
    const [prompt, answers] = TICKETS[i % TICKETS.length];
    const round = Math.floor(i / TICKETS.length);
    return { name: `t${i}`, prompt: round ? `${prompt} (${round})` : prompt,
        answers: answers.slice(0, K) };
}

/** @param {object} [o] */
export function plan(o = {}) {
    const n = o.items ?? 12;
    const some = (K, from = 0) => [...Array(n).keys()].map((i) =>
        item(from + i, K));
    // Nobody ranks replies that they spot-checked.
    const others = TICKETS.length * Math.ceil(n / TICKETS.length);
    return { pools: [
        { name: "Late parcels, blind check", task: "spotcheck", guide: GUIDE,
            overlap: o.overlap ?? 2, items: some(2) },
        { name: "Four replies, best first", task: "ranking",
            overlap: o.overlap ?? 2, items: some(4, others) },
        { name: "Two replies", task: "ranking", overlap: o.overlap ?? 2,
            items: some(2, others) },
    ].filter((p) => !o.only || o.only.includes(p.task)).slice(0, o.pools) };
}

export function hostilePlan() {
    const items = [{ name: "h", prompt: HOSTILE[0], answers: HOSTILE }];
    return { pools: [
        { name: "<b>bold</b>", task: "spotcheck", guide: HOSTILE[1], items }] };
}
