#include "world/tables.h"

const struct tables_intent tables_intent[TABLES_INTENTS] = {
    [INTENT_REFUND] =
        {
            .name = "refund",
            .wording =
                {
                    "i want my money back for the <prod> in order <ord> . i "
                    "bought it <n> days ago .",
                    "can i get a refund for order <ord> ? i bought the <prod> "
                    "<n> days ago .",
                    "the <prod> from order <ord> is not for me . it has been "
                    "<n> days . i would like a refund .",
                },
            .value = {5, 9, 14, 20, 26, 30, 33, 38, 45, 52, 60, 75},
            .n_value = 12,
            .limit = 30,
        },
    [INTENT_LATE] =
        {
            .name = "late",
            .wording =
                {
                    "order <ord> with my <prod> is <n> days late .",
                    "where is order <ord> ? the <prod> should have been here "
                    "<n> days ago .",
                    "my <prod> has not arrived . order <ord> is late by <n> "
                    "days .",
                },
            .value = {3, 5, 7, 9, 12, 14},
            .n_value = 6,
            .limit = 7,
        },
    [INTENT_DAMAGED] =
        {
            .name = "damaged",
            .wording =
                {
                    "the <prod> from order <ord> came damaged <n> days ago .",
                    "order <ord> came <n> days ago and the <prod> is cracked .",
                    "my <prod> was broken in the box . order <ord> came <n> "
                    "days ago .",
                },
            .value = {3, 5, 7, 9, 12, 14, 18, 20, 26, 30, 33, 38},
            .n_value = 12,
            .limit = 14,
        },
    [INTENT_CHARGE] =
        {
            .name = "charge",
            .wording =
                {
                    "i was charged <amt> twice for order <ord> . the second "
                    "charge is <st> .",
                    "there are two charges of <amt> for order <ord> . one of "
                    "them is <st> .",
                    "why did you bill me <amt> two times ? order <ord> , the "
                    "extra charge is <st> .",
                },
            .status = {"pending", "posted"},
        },
    [INTENT_CANCEL] =
        {
            .name = "cancel",
            .wording =
                {
                    "please cancel my <st> plan . it is order <ord> .",
                    "i want to stop the <st> plan on order <ord> .",
                    "how do i end my <st> plan ? the number is order <ord> .",
                },
            .status = {"monthly", "annual"},
        },
    [INTENT_PASSWORD] =
        {
            .name = "password",
            .wording =
                {
                    "i can not log in to order <ord> . i <st> my email .",
                    "my password does not work for order <ord> . i <st> my "
                    "email .",
                    "please reset the password for order <ord> . i <st> my "
                    "email .",
                },
            .status = {"still have", "lost"},
        },
    [INTENT_ADDRESS] =
        {
            .name = "address",
            .wording =
                {
                    "i need a new address on order <ord> . it has <st> .",
                    "the address on order <ord> is wrong . the <prod> has <st> "
                    ".",
                    "please send order <ord> to my new home . it has <st> .",
                },
            .status = {"not shipped", "already shipped"},
        },
    [INTENT_WARRANTY] =
        {
            .name = "warranty",
            .wording =
                {
                    "my <prod> stopped working after <n> months . it is order "
                    "<ord> .",
                    "the <prod> from order <ord> is <n> months old and will "
                    "not turn on .",
                    "order <ord> broke after <n> months . can you fix the "
                    "<prod> ?",
                },
            .value = {3, 7, 9, 12, 18, 20, 26, 30, 33, 38, 45, 52},
            .n_value = 12,
            .limit = 24,
        },
};

const struct tables_resolution tables_resolution[TABLES_RESOLUTIONS] = {
    [RESOLUTION_REFUND] =
        {
            .name = "REFUND",
            .condition = "days<=30",
            .sentence =
                {
                    "we have issued a full refund for order <ord> .",
                    "order <ord> is within thirty days , so you will get a "
                    "full refund .",
                },
            .next =
                {
                    "please send the <prod> back with the label in your email "
                    ".",
                    "the money will be on your card in five days .",
                },
        },
    [RESOLUTION_CREDIT] =
        {
            .name = "CREDIT",
            .condition = "days>30",
            .sentence =
                {
                    "order <ord> is past thirty days , so we can only offer "
                    "store credit .",
                    "we have added store credit for order <ord> to your "
                    "account .",
                },
            .next =
                {
                    "you can spend the credit at checkout for one year .",
                    "please use the code in your email to spend the credit .",
                },
        },
    [RESOLUTION_WAIT] =
        {
            .name = "WAIT",
            .condition = "days<=7",
            .sentence =
                {
                    "order <ord> is still with the courier and will arrive "
                    "soon .",
                    "the courier has order <ord> and it is on the way .",
                },
            .next =
                {
                    "please wait three more days for the <prod> .",
                    "you can follow the parcel with the link in your email .",
                },
        },
    [RESOLUTION_RESHIP] =
        {
            .name = "RESHIP",
            .condition = "days>7",
            .sentence =
                {
                    "order <ord> is lost , so we have sent a new <prod> today "
                    ".",
                    "we will ship order <ord> again today .",
                },
            .next =
                {
                    "the new parcel will arrive in two days .",
                    "please refuse the old parcel if it comes .",
                },
        },
    [RESOLUTION_REPLACE] =
        {
            .name = "REPLACE",
            .condition = "days<=14",
            .sentence =
                {
                    "we will replace the damaged <prod> from order <ord> .",
                    "you will get a new <prod> for order <ord> .",
                },
            .next =
                {
                    "please leave the damaged item with the driver .",
                    "our driver will swap it at your door on monday .",
                },
        },
    [RESOLUTION_REPAIR] =
        {
            .name = "REPAIR",
            .condition = "days>14",
            .sentence =
                {
                    "order <ord> is past two weeks , so we will repair the "
                    "<prod> .",
                    "we can repair the <prod> from order <ord> in our workshop "
                    ".",
                },
            .next =
                {
                    "please print the repair form and put it in the box .",
                    "the workshop needs ten days for the work .",
                },
        },
    [RESOLUTION_HOLD] =
        {
            .name = "HOLD",
            .condition = "pending",
            .sentence =
                {
                    "the second charge on order <ord> is only a hold and will "
                    "drop off .",
                    "the extra charge for order <ord> is pending and will not "
                    "be taken .",
                },
            .next =
                {
                    "please check your bank statement again in three days .",
                    "your bank will release the hold by friday .",
                },
        },
    [RESOLUTION_DUP] =
        {
            .name = "DUP",
            .condition = "posted",
            .sentence =
                {
                    "we have refunded the second charge of <amt> on order "
                    "<ord> .",
                    "the extra <amt> for order <ord> was our error and is "
                    "refunded .",
                },
            .next =
                {
                    "your bank will show the refund in four days .",
                    "please keep this message as proof for your bank .",
                },
        },
    [RESOLUTION_CANCEL] =
        {
            .name = "CANCEL",
            .condition = "monthly",
            .sentence =
                {
                    "your monthly plan on order <ord> is cancelled from today "
                    ".",
                    "we have stopped the monthly plan for order <ord> .",
                },
            .next =
                {
                    "you will not be billed again next month .",
                    "you can still log in until the month ends .",
                },
        },
    [RESOLUTION_PRORATE] =
        {
            .name = "PRORATE",
            .condition = "annual",
            .sentence =
                {
                    "your annual plan on order <ord> is closed and unused "
                    "months are paid back .",
                    "we have ended the annual plan for order <ord> and will "
                    "return the unused part .",
                },
            .next =
                {
                    "the unused part will be paid back in one week .",
                    "please confirm your bank details on the account page .",
                },
        },
    [RESOLUTION_LINK] =
        {
            .name = "LINK",
            .condition = "still have",
            .sentence =
                {
                    "we have sent a reset link for order <ord> to your email .",
                    "a new password link for order <ord> is in your inbox .",
                },
            .next =
                {
                    "please open the link within one hour .",
                    "check your spam folder if you can not see the link .",
                },
        },
    [RESOLUTION_PHONE] =
        {
            .name = "PHONE",
            .condition = "lost",
            .sentence =
                {
                    "we must verify the owner of order <ord> by phone first .",
                    "a phone check is needed before we reset order <ord> .",
                },
            .next =
                {
                    "please call our help line with your id ready .",
                    "an agent will call you back before noon .",
                },
        },
    [RESOLUTION_ADDR] =
        {
            .name = "ADDR",
            .condition = "not shipped",
            .sentence =
                {
                    "we have changed the address on order <ord> .",
                    "order <ord> will now go to your new address .",
                },
            .next =
                {
                    "please check the new address in your account .",
                    "you will get a message when the parcel leaves .",
                },
        },
    [RESOLUTION_REROUTE] =
        {
            .name = "REROUTE",
            .condition = "already shipped",
            .sentence =
                {
                    "order <ord> has already left , so only the courier can "
                    "redirect it .",
                    "we can not change order <ord> because it is on the truck "
                    ".",
                },
            .next =
                {
                    "please ask the courier to redirect it on their site .",
                    "you can collect it at the depot with your id .",
                },
        },
    [RESOLUTION_FREEFIX] =
        {
            .name = "FREEFIX",
            .condition = "months<=24",
            .sentence =
                {
                    "order <ord> is under warranty , so the repair is free .",
                    "the warranty covers the <prod> from order <ord> .",
                },
            .next =
                {
                    "please book a free pickup on our site .",
                    "a technician will visit you this week .",
                },
        },
    [RESOLUTION_PAIDFIX] =
        {
            .name = "PAIDFIX",
            .condition = "months>24",
            .sentence =
                {
                    "the warranty for order <ord> has ended , so the repair "
                    "costs forty dollars .",
                    "order <ord> is out of warranty , but we can fix the "
                    "<prod> for forty dollars .",
                },
            .next =
                {
                    "please reply yes if you accept the price .",
                    "you can pay the fee on our site .",
                },
        },
};

const struct tables_filler tables_filler[TABLES_FILLERS] = {
    {"we are so sorry for the trouble this has caused you .", FILLER_APOLOGY},
    {"please accept our sincere apologies for this experience .",
     FILLER_APOLOGY},
    {"we truly understand how frustrating this must feel .", FILLER_APOLOGY},
    {"we are sorry that you had to write to us about this .", FILLER_APOLOGY},
    {"thank you so much for your patience and kind understanding .",
     FILLER_THANKS},
    {"thank you for being such a valued member of our family .", FILLER_THANKS},
    {"we really appreciate that you took the time to reach out .",
     FILLER_THANKS},
    {"rest assured that our whole team takes this very seriously .",
     FILLER_ASSURANCE},
    {"your happiness is always our very first priority .", FILLER_ASSURANCE},
    {"we work hard every day to give you the best service .", FILLER_ASSURANCE},
    {"please note that times may vary a little in some cases .", FILLER_HEDGE},
    {"in general this kind of request can depend on many things .",
     FILLER_HEDGE},
    {"as far as we can tell this should most likely be fine .", FILLER_HEDGE},
    {"you may also like our premium plan with faster delivery .",
     FILLER_UPSELL},
    {"have you seen the new offers in our online store ?", FILLER_UPSELL},
    {"please do not hesitate to contact us with any other question .",
     FILLER_OFFER},
    {"we are always here if there is anything else you need .", FILLER_OFFER},
    {"feel free to reach out to us again at any time .", FILLER_OFFER},
};

const char *const tables_opening[TABLES_OPENINGS] = {
    "hi ,", "hello ,", "good morning ,", "hey there ,", "",
};

const char *const tables_tail[TABLES_TAILS] = {
    "please help .",           "thanks .", "i am quite upset .",
    "can you sort this out ?", "",         "",
};

const char *const tables_greeting[TABLES_GREETINGS] = {
    "hello ,",
    "hi there ,",
    "dear customer ,",
};

const char *const tables_closing[TABLES_CLOSINGS] = {
    "best regards .",
    "kind regards .",
    "have a nice day .",
};

const char *const tables_product[TABLES_PRODUCTS] = {
    "headphones", "blender", "jacket", "lamp",   "keyboard", "backpack",
    "kettle",     "monitor", "desk",   "camera", "toaster",  "router",
};

const char *const tables_amount[TABLES_AMOUNTS] = {
    "15", "19", "24", "29", "35", "39", "49", "59", "79", "99",
};

const char tables_letters[TABLES_LETTERS + 1] = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const char tables_digits[TABLES_DIGITS + 1] = "0123456789";
