typedef int placeholder_adamw_ref;
