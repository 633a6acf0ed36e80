typedef int placeholder_ops_ref;
