# The address, or the end of the run.
function Get-Address([string]$Flag, [string]$Text, [string]$Form) {
  if ($Text -cnotmatch $Form) { Stop-Usage "$Flag is not an address: $Flag takes what its default looks like" }
  $Text
}

# A path as this session means it: the process has a current folder of its own.
function Get-FullPath([string]$Path) {
  $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

# The pins that were given, each as `sha256:` and 64 digits.
function Get-GivenPins {
  if (-not $bound.ContainsKey('CaPin')) { return }
  foreach ($text in @($CaPin | ForEach-Object { $_ -split ',' })) {
    $pin = $text.Trim()
    if ($pin -ceq $carried.CaPinCurl) {
      $carried.CaPin
    } elseif ($pin -ceq $carried.LeafPinCurl) {
      $carried.LeafPin
    } elseif ($pin -clike 'sha256//*') {
      Stop-Run 4 "pin_mismatch: this script's server has none of the keys in -CaPin $pin" "it has $($carried.CaPin)"
    } elseif ($pin -cmatch '\Asha256:[0-9A-Fa-f]{64}\z') {
      $pin.ToLowerInvariant()
    } else {
      Stop-Usage '-CaPin takes sha256: and 64 hexadecimal digits, as vigocli ca show prints them'
    }
  }
}

function Read-Token {
  if ($bound.ContainsKey('Token')) { return $Token }
  if ($bound.ContainsKey('TokenFile')) {
    $path = Get-FullPath $TokenFile
    if (-not (Test-Path -LiteralPath $path -PathType Leaf)) { Stop-Run 1 "-TokenFile: $path cannot be read" '' }
    $line = [string](Get-Content -LiteralPath $path -TotalCount 1)
    if (-not $line) { Stop-Run 1 "-TokenFile: the first line of $path is empty" '' }
    return $line.Trim()
  }
  if ($TokenPrompt) {
    $typed = Read-Host -Prompt 'Token' -AsSecureString
    $memory = [Runtime.InteropServices.Marshal]::SecureStringToBSTR($typed)
    try {
      $line = [Runtime.InteropServices.Marshal]::PtrToStringBSTR($memory)
    } finally {
      [Runtime.InteropServices.Marshal]::ZeroFreeBSTR($memory)
    }
    if (-not $line) { Stop-Run 1 '-TokenPrompt: no token was typed' '' }
    return $line
  }
  [string]$secret
}
