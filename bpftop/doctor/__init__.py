"""Questions about this kernel and system, and their answers: does a part of bpftop work here, and if not, why.

Nothing is attached to a device of the host, and no change stays behind. See ``bpftop.doctor.examination``.
"""
