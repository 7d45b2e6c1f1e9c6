"""What a bug report needs: versions, machine, workspace, servers; each with a verdict and how to mend it."""
