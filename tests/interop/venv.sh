# Sourced: $interop is a virtual environment with what requirements.txt pins, installed where it is not there yet.
# SYNEHRGY_INTEROP names one elsewhere.
interop=${SYNEHRGY_INTEROP:-.venv-interop}
[ -x "$interop/bin/python" ] || python3 -m venv "$interop"
"$interop/bin/python" -c 'import torch, transformers, safetensors' 2>/dev/null || "$interop/bin/pip" install -q -r tests/interop/requirements.txt
