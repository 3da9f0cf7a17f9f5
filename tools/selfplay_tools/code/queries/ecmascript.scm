; Definitions that JavaScript and TypeScript have in common.

(function_declaration name: (identifier) @name) @function
(generator_function_declaration name: (identifier) @name) @function
(class_body (method_definition name: (_) @name) @method)
(object (method_definition name: (_) @name) @method)

; A function that is given a name by what it is assigned to.
(variable_declarator
  name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body) (generator_function body: (_) @body)]) @function
(expression_statement (assignment_expression
  left: [(identifier) (member_expression)] @name
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body) (generator_function body: (_) @body)]) @function)
(pair
  key: [(property_identifier) (string)] @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body) (generator_function body: (_) @body)]) @method
(variable_declarator name: (identifier) @name value: (class body: (_) @body)) @class
(expression_statement (assignment_expression
  left: [(identifier) (member_expression)] @name
  right: (class body: (_) @body)) @class)

; Names of the module. The functions of an object are named after it.
(program [
  (lexical_declaration kind: "const" (variable_declarator name: (identifier) @name value: (_)? @value) @constant.scope)
  (lexical_declaration kind: "let" (variable_declarator name: (identifier) @name value: (_)? @value) @variable.scope)
  (variable_declaration (variable_declarator name: (identifier) @name value: (_)? @value) @variable.scope)
])
(export_statement declaration: [
  (lexical_declaration kind: "const" (variable_declarator name: (identifier) @name) @constant.scope)
  (lexical_declaration kind: "let" (variable_declarator name: (identifier) @name) @variable.scope)
  (variable_declaration (variable_declarator name: (identifier) @name) @variable.scope)
])
(expression_statement (assignment_expression left: (member_expression) @name right: (object)) @scope)

; Where a definition begins and ends.
(export_statement declaration: (_) @inner) @outer
(export_statement value: (_) @inner) @outer
(lexical_declaration . (variable_declarator) @inner .) @outer
(variable_declaration . (variable_declarator) @inner .) @outer
(expression_statement (assignment_expression) @inner) @outer
