"""The rules of netting and share over columns: many intervals of many communities at once, exact to the Wh."""
