#!/bin/sh
# setup.sh - the Python peers of `make bench` in a virtual environment of
# their own, and its interpreter's path on standard output.
#
#     bench/peers/setup.sh FOLDER
#
# Six gigabytes from PyPI the first time; nothing once they are there.  The
# product needs none of it.  Exit 5: they cannot be had.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: setup.sh FOLDER}
python=$folder/bin/python
stamp=$folder/requirements.txt

if [ ! -x "$python" ] || ! cmp -s "$here/requirements.txt" "$stamp"; then
    {
        python3 -m venv "$folder" &&
            "$folder/bin/pip" install --quiet --disable-pip-version-check \
                -r "$here/requirements.txt" &&
            # Built from source, which takes minutes and may fail: then only
            # its own row is missing.
            { "$folder/bin/pip" install --quiet --disable-pip-version-check \
                llama_cpp_python==0.3.36 || true; } &&
            cp "$here/requirements.txt" "$stamp"
    } >&2 || {
        echo "setup.sh: the peers cannot be installed" >&2
        exit 5
    }
fi
echo "$python"
