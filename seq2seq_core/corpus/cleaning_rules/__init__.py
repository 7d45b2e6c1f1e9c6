"""The cleaning rules, a file each: the file's name is the rule's and its setting's, and it defines one object, ``RULE``."""
