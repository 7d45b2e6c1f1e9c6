"""Parts of tables that need a setting: lines before the first row, values inside nested columns."""
