"""The systems that are put beside each other, each behind `contract.System`; a process of its own runs each."""
