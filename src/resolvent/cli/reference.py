"""stub"""
def command_tree(): return None
def markdown(tree): return "# Command line\n"
