"""What is kept of the executions of stages, and the reasons why a stage runs, in the words of somebody who edits files."""
