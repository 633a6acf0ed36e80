typedef int placeholder_lmhead_ref;
