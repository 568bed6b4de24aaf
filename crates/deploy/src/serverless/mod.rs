mod variables;
