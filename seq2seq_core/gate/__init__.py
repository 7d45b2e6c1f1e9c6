"""The promotion gate's statistics: whether a challenger is proved better than the champion on the rows that both decoded."""
