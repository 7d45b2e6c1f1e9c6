"""The cleaning rules, one file each. The file is named like the rule and its setting, and defines one object, ``RULE``."""
