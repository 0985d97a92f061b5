"""What works here and why not: questions that are put to the kernel and the system, and their answers.

Nothing is attached to a device of the host, and nothing stays. See ``bpftop.doctor.examination``.
"""
